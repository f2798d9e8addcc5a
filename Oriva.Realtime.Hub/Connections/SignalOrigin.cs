using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// Tells whose sends come by Redis. Those of hubs carry the node that sent them, as one more protocol's form of the message, which no client speaks: a node's
/// own are passed over, because its connections had them at once. Those of other processes carry none; their JSON form is taken, and encoded again for
/// clients that speak MessagePack, so that a back end needs neither that protocol nor its settings.
/// </summary>
internal sealed class SignalOrigin(NodeIdentity self)
{
    private readonly OriginProtocol _protocol = new(self.Instance);

    // A message comes to each of its connections in turn: the one before is mostly the same.
    private Tuple<SerializedHubMessage, SerializedHubMessage?>? _latest;

    /// <summary>The protocols, and the form that says where a message is from.</summary>
    public IHubProtocolResolver AddTo(IHubProtocolResolver protocols) => new Resolver(protocols, _protocol);

    /// <returns>What to send to connections of this node; null: nothing.</returns>
    public SerializedHubMessage? Read(SerializedHubMessage message)
    {
        if (Volatile.Read(ref _latest) is { } latest && latest.Item1 == message)
            return latest.Item2;
        var read = TryGet(message, _protocol, out var sender)
            ? sender.Span.SequenceEqual(_protocol.Own) ? null : message
            : ReadForeign(message);
        Volatile.Write(ref _latest, Tuple.Create(message, read));
        return read;
    }

    private static SerializedHubMessage? ReadForeign(SerializedHubMessage message)
    {
        if (!TryGet(message, s_json, out var json))
            return null;
        try
        {
            // A record separator ends it.
            using var document = JsonDocument.Parse(json[..^1]);
            var (target, arguments) = (document.RootElement.GetProperty("target").GetString()!, document.RootElement.GetProperty("arguments"));
            return new SerializedHubMessage(new InvocationMessage(target, [.. arguments.EnumerateArray().Select(argument => (object)argument.Clone())]));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool TryGet(SerializedHubMessage message, IHubProtocol protocol, out ReadOnlyMemory<byte> form)
    {
        try
        {
            form = message.GetSerializedMessage(protocol);
            return true;
        }
        catch (InvalidOperationException)
        {
            // There is no such form, and a message that came by Redis cannot be encoded here.
            form = default;
            return false;
        }
    }

    private static readonly OriginProtocol s_json = new(default) { Name = "json" };

    private sealed class Resolver(IHubProtocolResolver inner, OriginProtocol origin) : IHubProtocolResolver
    {
        public IReadOnlyList<IHubProtocol> AllProtocols { get; } = [.. inner.AllProtocols, origin];

        public IHubProtocol? GetProtocol(string protocolName, IReadOnlyList<string>? supportedProtocols) => inner.GetProtocol(protocolName, supportedProtocols) ?? (protocolName == origin.Name ? origin : null);
    }

    /// <summary>Writes every message as the node's own name.</summary>
    private sealed class OriginProtocol(Guid instance) : IHubProtocol
    {
        private readonly byte[] _own = instance.ToByteArray();

        public ReadOnlySpan<byte> Own => _own;

        public string Name { get; init; } = "oriva-origin";

        public int Version => 1;

        public TransferFormat TransferFormat => TransferFormat.Binary;

        public bool IsVersionSupported(int version) => version == Version;

        public ReadOnlyMemory<byte> GetMessageBytes(HubMessage message) => _own;

        public void WriteMessage(HubMessage message, IBufferWriter<byte> output) => output.Write(_own);

        public bool TryParseMessage(ref ReadOnlySequence<byte> input, IInvocationBinder binder, [NotNullWhen(true)] out HubMessage? message)
        {
            message = null;
            return false;
        }
    }
}
