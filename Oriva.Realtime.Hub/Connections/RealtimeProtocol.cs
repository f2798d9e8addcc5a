using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// A protocol of SignalR's, so that clients can rely on two things more. What they read of a refused call begins with its code: SignalR puts a sentence of
/// its own before a <see cref="HubException"/>'s message, and refuses some calls itself, without a code. And a message of a kind that is unknown here is
/// skipped: SignalR would put off what follows it until the client sends again.
/// </summary>
internal sealed partial class RealtimeProtocol(IHubProtocol inner) : IHubProtocol
{
    private const string Ours = "HubException: ";

    public string Name => inner.Name;

    public int Version => inner.Version;

    public TransferFormat TransferFormat => inner.TransferFormat;

    /// <summary>Wraps the protocols that have been added so far.</summary>
    public static void Decorate(IServiceCollection services)
    {
        foreach (var protocol in services.Where(service => service.ServiceType == typeof(IHubProtocol)).ToList())
        {
            services.Remove(protocol);
            services.AddSingleton<IHubProtocol>(provider => new RealtimeProtocol((IHubProtocol)(protocol.ImplementationInstance
                ?? protocol.ImplementationFactory?.Invoke(provider) ?? ActivatorUtilities.CreateInstance(provider, protocol.ImplementationType!))));
        }
    }

    public bool IsVersionSupported(int version) => inner.IsVersionSupported(version);

    public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message)
    {
        long before;
        do
        {
            before = input.Length;
            if (inner.TryParseMessage(ref input, binder, out message))
                return true;
        }
        while (input.Length < before);
        return false;
    }

    public void WriteMessage(HubMessage message, IBufferWriter<byte> output) => inner.WriteMessage(Code(message), output);

    public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => inner.GetMessageBytes(Code(message));

    private static HubMessage Code(HubMessage message) => message switch
    {
        CompletionMessage { Error: { } error } refused => new CompletionMessage(refused.InvocationId!, Code(error), result: null, hasResult: false) { Headers = refused.Headers },
        CloseMessage { Error: { } error } closing => new CloseMessage(Code(error), closing.AllowReconnect),
        _ => message,
    };

    internal static string Code(string error)
    {
        var at = error.IndexOf(Ours, StringComparison.Ordinal);
        var text = at < 0 ? error : error[(at + Ours.Length)..];
        return text switch
        {
            _ when HasCode().IsMatch(text) => text,
            "Method does not exist." => $"{FaultCodes.NotFound}: {text}",
            // The arguments are not what the method takes.
            _ when text.StartsWith("Failed to invoke", StringComparison.Ordinal) => $"{FaultCodes.Malformed}: {text}",
            _ => $"{FaultCodes.Internal}: The service failed. Its log has the details.",
        };
    }

    [GeneratedRegex(@"\A[a-z_]+: ", RegexOptions.NonBacktracking)]
    private static partial Regex HasCode();
}
