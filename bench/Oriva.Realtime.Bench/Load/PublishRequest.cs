using System.Globalization;
using System.Text;

namespace Oriva.Realtime.Bench.Load;

/// <summary>Who an event is for.</summary>
internal enum Audience
{
    User,
    Everyone,
}

/// <summary>A publish, encoded once. Before each send only its users and marks are written anew, which all have one width.</summary>
internal sealed class PublishRequest
{
    /// <summary>Stands in a template where a user id goes.</summary>
    public const string UserPlaceholder = "u#####";

    private readonly byte[] _bytes;
    private readonly int[] _userOffsets;
    private readonly int[] _markOffsets;

    private PublishRequest(byte[] bytes)
    {
        _bytes = bytes;
        _userOffsets = FindAll(bytes, UserPlaceholder);
        _markOffsets = FindAll(bytes, Mark.Placeholder);
    }

    public int Events => _markOffsets.Length;

    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <param name="body">With <see cref="UserPlaceholder"/> and <see cref="Mark.Placeholder"/> in it; the path may have the user as well.</param>
    public static PublishRequest Post(string host, string path, string? token, string body) => new(Encoding.ASCII.GetBytes(
        $"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n"
        + (token is null ? "" : $"Authorization: Bearer {token}\r\n") + "\r\n" + body));

    /// <summary>An invocation in a frame that is masked with zeros, so that it can be written to like a request.</summary>
    public static PublishRequest Invoke(string method, string arguments) =>
        new(WebSocketFrame.Encode(WebSocketFrame.Text, Dialect.Json.Invoke(method, arguments), isWritable: true));

    public PublishRequest Copy() => new([.. _bytes], _userOffsets, _markOffsets);

    public static string UserId(int user) => "u" + user.ToString("D5", CultureInfo.InvariantCulture);

    public void Write(int index, int user, in Mark mark)
    {
        var perEvent = _userOffsets.Length / _markOffsets.Length;
        for (var i = index * perEvent; i < (index + 1) * perEvent; i++)
            user.TryFormat(_bytes.AsSpan(_userOffsets[i] + 1, 5), out _, "D5", CultureInfo.InvariantCulture);
        mark.Write(_bytes.AsSpan(_markOffsets[index]));
    }

    private PublishRequest(byte[] bytes, int[] userOffsets, int[] markOffsets)
    {
        _bytes = bytes;
        _userOffsets = userOffsets;
        _markOffsets = markOffsets;
    }

    private static int[] FindAll(ReadOnlySpan<byte> bytes, string placeholder)
    {
        var wanted = Encoding.ASCII.GetBytes(placeholder);
        var offsets = new List<int>();
        for (var from = 0; bytes[from..].IndexOf(wanted) is >= 0 and var found; from += found + wanted.Length)
            offsets.Add(from + found);
        return [.. offsets];
    }
}
