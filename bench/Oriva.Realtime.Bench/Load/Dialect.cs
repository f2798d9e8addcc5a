using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Load;

internal enum MessageKind
{
    Other,
    Event,
    Answer,
    Ping,
    Close,
}

/// <summary>What a server and its clients say in the frames of a WebSocket: SignalR in JSON or MessagePack, or socket.io. No instance has a state.</summary>
internal abstract class Dialect
{
    public static readonly Dialect Json = new SignalRJson();
    public static readonly Dialect MessagePack = new SignalRMessagePack();
    public static readonly Dialect SocketIo = new SocketIo();

    public abstract string Name { get; }

    /// <summary>Of the frames that the client sends.</summary>
    public virtual byte Opcode => WebSocketFrame.Text;

    /// <summary>What the client says first; it gets an answer.</summary>
    public abstract byte[] Hello { get; }

    /// <summary>What the client says now and then so that the server takes it for alive; null: nothing.</summary>
    public virtual byte[]? KeepAlive => null;

    /// <summary>The answer to a ping; null: none is wanted.</summary>
    public virtual byte[]? Pong => null;

    /// <summary>What stands before a mark's digits.</summary>
    public virtual byte[] MarkPrefix => "\"mark\":\""u8.ToArray();

    /// <summary>A number follows at once.</summary>
    public virtual byte[] KeyOf(string name) => Encoding.ASCII.GetBytes($"\"{name}\":");

    /// <param name="arguments">JSON, separated by commas.</param>
    public abstract byte[] Invoke(string method, string arguments);

    /// <summary>The result of a call; undefined for the answer to <see cref="Hello"/>.</summary>
    /// <exception cref="BenchException">The call was refused.</exception>
    public abstract JsonElement ReadResult(byte[] answer);

    public abstract MessageKind KindOf(ReadOnlySpan<byte> message);

    /// <summary>Finds the first message.</summary>
    /// <param name="text">What was received and not yet cut.</param>
    /// <param name="scanned">As much of it was searched in vain.</param>
    /// <param name="isFrameEnd">A frame ends where the text does.</param>
    /// <param name="end">Where the next message starts.</param>
    public abstract bool TryCut(ReadOnlySpan<byte> text, int scanned, bool isFrameEnd, out Range message, out int end);

    /// <param name="value">Starts at the number.</param>
    public abstract bool TryReadNumber(ReadOnlySpan<byte> value, out long number);

    /// <param name="value">Starts at the text.</param>
    public abstract ReadOnlySpan<byte> ReadText(ReadOnlySpan<byte> value);
}
