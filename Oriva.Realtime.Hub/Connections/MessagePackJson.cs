using System.Buffers;
using System.Text.Json;
using MessagePack;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>JSON as MessagePack and back, value by value.</summary>
internal static class MessagePackJson
{
    public static void Write(ref MessagePackWriter writer, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteMapHeader(json.GetPropertyCount());
                foreach (var property in json.EnumerateObject())
                {
                    writer.Write(property.Name);
                    Write(ref writer, property.Value);
                }

                break;
            case JsonValueKind.Array:
                writer.WriteArrayHeader(json.GetArrayLength());
                foreach (var item in json.EnumerateArray())
                    Write(ref writer, item);
                break;
            case JsonValueKind.String:
                writer.Write(json.GetString());
                break;
            case JsonValueKind.Number when json.TryGetInt64(out var integer):
                writer.Write(integer);
                break;
            case JsonValueKind.Number when json.TryGetUInt64(out var large):
                writer.Write(large);
                break;
            case JsonValueKind.Number:
                writer.Write(json.GetDouble());
                break;
            case JsonValueKind.True or JsonValueKind.False:
                writer.Write(json.GetBoolean());
                break;
            default:
                writer.WriteNil();
                break;
        }
    }

    /// <summary>Refuses, with a serialization exception, what JSON cannot say: a map whose keys are no texts, a number that is none.</summary>
    public static void Read(ref MessagePackReader reader, Utf8JsonWriter json, MessagePackSecurity security)
    {
        switch (reader.NextMessagePackType)
        {
            case MessagePackType.Map:
                security.DepthStep(ref reader);
                json.WriteStartObject();
                for (var left = reader.ReadMapHeader(); left > 0; left--)
                {
                    json.WritePropertyName(reader.ReadString() ?? throw new MessagePackSerializationException("A map's keys must be texts."));
                    Read(ref reader, json, security);
                }

                json.WriteEndObject();
                reader.Depth--;
                break;
            case MessagePackType.Array:
                security.DepthStep(ref reader);
                json.WriteStartArray();
                for (var left = reader.ReadArrayHeader(); left > 0; left--)
                    Read(ref reader, json, security);
                json.WriteEndArray();
                reader.Depth--;
                break;
            case MessagePackType.String:
                json.WriteStringValue(reader.ReadString());
                break;
            case MessagePackType.Integer when reader.NextCode == MessagePackCode.UInt64:
                json.WriteNumberValue(reader.ReadUInt64());
                break;
            case MessagePackType.Integer:
                json.WriteNumberValue(reader.ReadInt64());
                break;
            case MessagePackType.Float:
                var number = reader.ReadDouble();
                if (!double.IsFinite(number))
                    throw new MessagePackSerializationException("JSON has no such number.");
                json.WriteNumberValue(number);
                break;
            case MessagePackType.Boolean:
                json.WriteBooleanValue(reader.ReadBoolean());
                break;
            case MessagePackType.Binary:
                json.WriteBase64StringValue((reader.ReadBytes() ?? default).ToArray());
                break;
            case MessagePackType.Extension:
                json.WriteStringValue(reader.ReadDateTime());
                break;
            default:
                reader.ReadNil();
                json.WriteNullValue();
                break;
        }
    }
}
