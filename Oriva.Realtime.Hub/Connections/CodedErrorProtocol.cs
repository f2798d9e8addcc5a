using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// A hub protocol whose errors begin with the contract's code. SignalR puts a sentence and the exception's name in front of a <see cref="HubException"/>'s
/// message; clients that switch on the code should not have to search for it.
/// </summary>
internal sealed class CodedErrorProtocol(IHubProtocol inner) : IHubProtocol
{
    private const string Mark = $" {nameof(HubException)}: ";

    public string Name => inner.Name;

    public int Version => inner.Version;

    public TransferFormat TransferFormat => inner.TransferFormat;

    public bool IsVersionSupported(int version) => inner.IsVersionSupported(version);

    public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message) =>
        inner.TryParseMessage(ref input, binder, out message);

    public void WriteMessage(HubMessage message, IBufferWriter<byte> output) => inner.WriteMessage(Shorten(message), output);

    public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => inner.GetMessageBytes(Shorten(message));

    private static HubMessage Shorten(HubMessage message) => message switch
    {
        CompletionMessage { Error: { } error } completion when Find(error) is { } shorter => CompletionMessage.WithError(completion.InvocationId!, shorter),
        CloseMessage { Error: { } error } close when Find(error) is { } shorter => new CloseMessage(shorter, close.AllowReconnect),
        _ => message,
    };

    private static string? Find(string error)
    {
        var at = error.IndexOf(Mark, StringComparison.Ordinal);
        return at < 0 ? null : error[(at + Mark.Length)..];
    }
}
