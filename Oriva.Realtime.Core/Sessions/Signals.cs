using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>What <c>Signal</c> takes: to a topic's followers, or to a user's own devices.</summary>
public sealed record SignalRequest(string App, string? Topic, string? UserId, string Name, JsonElement Data);

/// <summary>What clients get of it.</summary>
public sealed record SignalMessage(
    string App,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Topic,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? UserId,
    string From, string Name, JsonElement Data, DateTimeOffset At);

/// <summary>What <c>Ack</c> takes.</summary>
public sealed record AckRequest(string App, IReadOnlyDictionary<string, long> Streams);

/// <summary>Who may signal to whom.</summary>
public static class SignalPolicy
{
    private const int MaxDataBytes = 8 * 1024;
    private const int MaxNameLength = 128;

    private static readonly JsonElement s_null = JsonElement.Parse("null");

    /// <returns>The request with its audience made plain: a topic, or a user.</returns>
    public static async ValueTask<Outcome<SignalRequest>> CheckAsync(Caller caller, SignalRequest? request, AccessPolicy access, CancellationToken cancellationToken)
    {
        if (request is null)
            return Fault.Invalid("", "Required: {app, topic or userId, name, data}.");
        if (await access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;
        if (request.Name is not { Length: > 0 and <= MaxNameLength })
            return Fault.Invalid("/name", $"Must be a text of 1 to {MaxNameLength} characters.");
        if (request.Topic is not null && request.UserId is not null)
            return Fault.Invalid("/topic", "A signal has one audience: topic or userId, not both.");
        if (request.Topic is not null && !access.MayFollow(caller, request.App, request.Topic))
            return new Fault(FaultCodes.TopicForbidden, "The token gives no access to this topic, or there is none.");
        if (request.UserId is not null && request.UserId != caller.Sub && !caller.IsPublisher)
            return new Fault(FaultCodes.UserForbidden, "A user signals to its own devices or to a topic.");
        if (request.Data.ValueKind != JsonValueKind.Undefined && Encoding.UTF8.GetByteCount(request.Data.GetRawText()) > MaxDataBytes)
            return new Fault(FaultCodes.TooLarge, $"A signal's data has at most {MaxDataBytes} bytes; publish an event instead.");
        return request with
        {
            UserId = request.Topic is null ? request.UserId ?? caller.Sub : null,
            Data = request.Data.ValueKind == JsonValueKind.Undefined ? s_null : request.Data.Clone(),
        };
    }
}
