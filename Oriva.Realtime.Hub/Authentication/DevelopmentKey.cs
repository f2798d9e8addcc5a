using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// The key of a developer's machine, made by the first node that needs one. It is kept in a file, so that tokens outlive a restart and are good on all nodes
/// that are started there; only its owner may read it.
/// </summary>
internal static class DevelopmentKey
{
    public const string FileName = "development-signing-key";

    /// <exception cref="InvalidOperationException">The file holds something else.</exception>
    public static string ReadOrMake(string path)
    {
        if (!File.Exists(path))
            Make(path);
        var key = File.ReadAllText(path).Trim();
        return key.Length >= AuthOptions.LeastKeyBytes
            ? key
            : throw new InvalidOperationException($"{path} holds no key; delete it, and the next start makes a new one.");
    }

    private static void Make(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

        // Written aside and then named, so that a node that starts at the same moment reads all of it or none.
        var temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
        using (var writer = new StreamWriter(temporary, options))
            writer.WriteLine(Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(AuthOptions.LeastKeyBytes)));
        try
        {
            File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another node was first; its key it is.
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
