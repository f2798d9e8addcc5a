using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// The keys of a developer's machine, made by the first node that needs one. They are kept in files, so that tokens outlive a restart and are good on all nodes
/// that are started there; only their owner may read them.
/// </summary>
internal static class DevelopmentKey
{
    public const string FileName = "development-signing-key";
    public const string ClusterFileName = "development-cluster-secret";
    public const string UnsubscribeFileName = "development-unsubscribe-key";

    /// <summary>Of web push: 32 random bytes are a private key on P-256.</summary>
    public const string PushFileName = "development-push-key";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <exception cref="InvalidOperationException">The file holds something else.</exception>
    public static string ReadOrMake(string path)
    {
        if (!File.Exists(path))
            TryMake(path);

        // A node that starts at the same moment may have made the file and not yet written to it.
        string? key = null;
        SpinWait.SpinUntil(() => (key = Read(path)) is not null, s_patience);
        return key ?? throw new InvalidOperationException($"{path} holds no key; delete it, and the next start makes a new one.");
    }

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim() is { Length: >= AuthOptions.LeastKeyBytes } key ? key : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void TryMake(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            // Of several nodes one makes the file. (Writing aside and File.Move would not do: on Unix it looks first and renames then.)
            using var file = new FileStream(path, options);
            file.Write(Encoding.ASCII.GetBytes(Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(AuthOptions.LeastKeyBytes)) + "\n"));
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another node was first; its key it is.
        }
    }
}
