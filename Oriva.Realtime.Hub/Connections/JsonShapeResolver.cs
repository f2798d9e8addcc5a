using System.Buffers;
using System.Text.Json;
using MessagePack;
using MessagePack.Formatters;
using MessagePack.Resolvers;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// MessagePack with the shapes that JSON has: the same names, times as RFC 3339 texts, <c>data</c> as a map. Every argument and result goes through the one
/// JSON definition, so that the two protocols cannot drift apart. What many connections get is encoded once, which is what pays for it.
/// </summary>
/// <remarks>Without it, MessagePack for C# writes names as C# has them, times as arrays, and a <see cref="JsonElement"/> as an empty map.</remarks>
internal sealed class JsonShapeResolver : IFormatterResolver
{
    public static readonly MessagePackSerializerOptions Options =
        MessagePackSerializerOptions.Standard.WithResolver(new JsonShapeResolver()).WithSecurity(MessagePackSecurity.UntrustedData);

    public IMessagePackFormatter<T>? GetFormatter<T>() => Cache<T>.Formatter;

    private static class Cache<T>
    {
        public static readonly IMessagePackFormatter<T> Formatter = typeof(T).IsPrimitive || typeof(T) == typeof(string)
            ? BuiltinResolver.Instance.GetFormatter<T>()!
            : new JsonShapeFormatter<T>();
    }

    private sealed class JsonShapeFormatter<T> : IMessagePackFormatter<T>
    {
        public void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options)
        {
            using var json = JsonSerializer.SerializeToDocument(value, value?.GetType() ?? typeof(T), WireJson.Options);
            MessagePackJson.Write(ref writer, json.RootElement);
        }

        public T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options)
        {
            var buffer = new ArrayBufferWriter<byte>(256);
            using (var json = new Utf8JsonWriter(buffer))
                MessagePackJson.Read(ref reader, json, options.Security);
            try
            {
                return JsonSerializer.Deserialize<T>(buffer.WrittenSpan, WireJson.Options)!;
            }
            catch (JsonException e)
            {
                throw new MessagePackSerializationException(e.Message, e);
            }
        }
    }
}
