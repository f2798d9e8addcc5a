using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>Turns drafts into events that the log can take, or lists everything that is wrong with them.</summary>
internal sealed class DraftValidator(AppRegistry registry, AccessPolicy access, EventStore store, RealtimeMetrics metrics, PublishingOptions limits, TimeProvider time)
{
    /// <summary>Length of a causation chain that is still believed to end.</summary>
    private const int MaxHops = 8;

    private const int MaxDepth = 32;

    private static readonly JsonSerializerOptions s_compactJson = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="pointerOf">The JSON pointer of the draft with this index in the caller's input.</param>
    public async Task<Outcome<List<NewEvent>>> ValidateAsync(
        Caller caller, IReadOnlyList<EventDraft> drafts, Func<int, string> pointerOf, CancellationToken cancellationToken)
    {
        var faults = new FaultList();
        foreach (var source in drafts.Select((draft, i) => (draft.Source, i)).DistinctBy(draft => draft.Source, StringComparer.Ordinal).ToList())
        {
            if (await access.EnterAsync(caller, source.Source, cancellationToken) is { } refused)
                faults.Add(refused.Code, pointerOf(source.i) + "/source", refused.Message);
        }

        if (!faults.IsEmpty)
            return faults.ToFault();

        if (drafts.Any(draft => registry.Find(draft.Source)?.Manifest.Declares(draft.Type) != true))
            await registry.RefreshAsync(cancellationToken);

        var events = new List<NewEvent>(drafts.Count);
        var ids = new HashSet<EventKey>();
        for (var i = 0; i < drafts.Count; i++)
        {
            if (Validate(caller, drafts[i], pointerOf(i), faults) is not { } valid)
                continue;
            if (!ids.Add(valid.Key))
                faults.Add(FaultCodes.Invalid, pointerOf(i) + "/id", "The id stands twice in this array.");
            events.Add(valid);
        }

        if (!faults.IsEmpty)
            return faults.ToFault();
        await CountHopsAsync(drafts, events, pointerOf, faults, cancellationToken);
        return faults.IsEmpty ? events : faults.ToFault();
    }

    private NewEvent? Validate(Caller caller, EventDraft draft, string pointer, FaultList faults)
    {
        var before = faults.Count;
        var manifest = registry.Find(draft.Source)!.Manifest;
        CheckNames(draft, pointer, faults);
        if (faults.Count > before)
            return null;

        if (!manifest.Declares(draft.Type))
            faults.Add(FaultCodes.UnknownType, pointer + "/type", $"'{draft.Source}' declares no type '{draft.Type}', and it is not built in.");
        else if (BuiltInTypes.IsReserved(draft.Type))
            faults.Add(FaultCodes.TypeForbidden, pointer + "/type", $"'{draft.Type}' is published by the service alone.");
        else if (!caller.IsPublisher)
            CheckUserMayPublish(caller, draft, manifest, pointer, faults);
        else if (draft.Topic is not null && !manifest.DeclaresTopic(draft.Topic))
            faults.Add(FaultCodes.Invalid, pointer + "/topic", $"'{draft.Source}' declares no such topic, so nobody could follow it.");

        CheckContent(draft, manifest, pointer, faults);
        return faults.Count > before ? null : ToEvent(caller, draft);
    }

    private static void CheckNames(EventDraft draft, string pointer, FaultList faults)
    {
        if (!Names.IsEventType(draft.Type))
            faults.Add(FaultCodes.Invalid, pointer + "/type", "An event type is lower-case words joined by dots, at most 128 characters.");
        if (draft.Id is not null && !Names.IsId(draft.Id))
            faults.Add(FaultCodes.Invalid, pointer + "/id", "An id is 1 to 128 printable characters without space or '/'.");
        if (draft.UserId is not null && !Names.IsId(draft.UserId))
            faults.Add(FaultCodes.Invalid, pointer + "/userId", "A user id is 1 to 128 printable characters without space or '/'.");
        if (draft.Topic is not null && !Names.IsTopic(draft.Topic))
            faults.Add(FaultCodes.Invalid, pointer + "/topic", "A topic is 1 to 128 letters, digits, '.', '_', ':' or '-', and starts with a letter or digit.");
        if (draft.UserId is not null && draft.Topic is not null)
            faults.Add(FaultCodes.Invalid, pointer + "/topic", "An event has one audience: userId or topic, not both.");
    }

    /// <summary>A user publishes what the manifest opens to users, to its own stream or to a topic that it may follow.</summary>
    private void CheckUserMayPublish(Caller caller, EventDraft draft, Manifest manifest, string pointer, FaultList faults)
    {
        if (!(manifest.Events.TryGetValue(draft.Type, out var declared) && declared.OpenToUsers))
            faults.Add(FaultCodes.TypeForbidden, pointer + "/type", $"Users may not publish '{draft.Type}'.");
        if (draft.Topic is not null && !access.MayFollow(caller, draft.Source, draft.Topic))
            faults.Add(FaultCodes.TopicForbidden, pointer + "/topic", "The token gives no access to this topic.");
        if (draft.Topic is null && draft.UserId != caller.Sub)
            faults.Add(FaultCodes.UserForbidden, pointer + "/userId", "A user publishes to its own stream (userId is its own) or to a topic.");
    }

    private void CheckContent(EventDraft draft, Manifest manifest, string pointer, FaultList faults)
    {
        if (draft.Data.ValueKind != JsonValueKind.Object)
        {
            faults.Add(FaultCodes.Invalid, pointer + "/data", "Must be a JSON object.");
            return;
        }

        var raw = draft.Data.GetRawText();
        if (Encoding.UTF8.GetByteCount(raw) > limits.PayloadBytes)
        {
            faults.Add(FaultCodes.TooLarge, pointer + "/data", $"At most {limits.PayloadBytes} bytes.");
            return;
        }

        // Where there are no more brackets than levels, nothing is nested deeper.
        if (raw.AsSpan().Count('{') + raw.AsSpan().Count('[') > MaxDepth && JsonText.IsDeeperThan(draft.Data, MaxDepth))
        {
            faults.Add(FaultCodes.Invalid, pointer + "/data", $"Nested deeper than {MaxDepth} levels.");
            return;
        }

        // Only an escape can name what is no character.
        if (raw.Contains('\\', StringComparison.Ordinal) && JsonText.FindUnstorable(draft.Data, pointer + "/data") is { } unstorable)
        {
            faults.Add(FaultCodes.Invalid, unstorable, "Texts must not contain \\u0000 or half of a surrogate pair.");
            return;
        }

        if (draft.Metadata is { } metadata)
        {
            if (metadata.Sum(entry => Encoding.UTF8.GetByteCount(entry.Key) + Encoding.UTF8.GetByteCount(entry.Value)) > limits.MetadataBytes)
                faults.Add(FaultCodes.TooLarge, pointer + "/metadata", $"At most {limits.MetadataBytes} bytes.");
            foreach (var entry in metadata.Where(entry => !JsonText.IsStorable(entry.Key) || !JsonText.IsStorable(entry.Value)))
                faults.Add(FaultCodes.Invalid, $"{pointer}/metadata/{JsonText.Escape(entry.Key)}", "Texts must not contain \\u0000 or half of a surrogate pair.");
        }

        if (manifest.Events.GetValueOrDefault(draft.Type)?.Schema is { } schema)
        {
            var verdict = schema.Evaluate(draft.Data, SchemaFaults.Evaluation);
            if (verdict.IsValid)
                return;
            foreach (var (location, message) in SchemaFaults.Of(verdict))
                faults.Add(FaultCodes.SchemaViolation, $"{pointer}/data{location}", message);
        }
    }

    private NewEvent ToEvent(Caller caller, EventDraft draft)
    {
        var now = StoreTime.Truncate(time.GetUtcNow());
        return new NewEvent
        {
            Id = draft.Id ?? Guid.CreateVersion7(now).ToString(),
            IdIsFresh = draft.Id is null,
            Source = draft.Source,
            Type = draft.Type,
            UserId = draft.UserId,
            Topic = draft.Topic,
            Actor = caller.Sub,
            Time = draft.Time is { } given ? StoreTime.Truncate(given) : now,
            Data = OnOneLine(draft.Data),
            Metadata = draft.Metadata is null ? null : JsonSerializer.Serialize(draft.Metadata, s_compactJson),
            ContentHash = ContentHash.Of(draft.Type, draft.UserId, draft.Topic, draft.Data),
            CopyTo = FindCopies(draft),
        };
    }

    /// <summary>As published, except that line breaks between tokens go: server-sent events are framed by lines.</summary>
    private static string OnOneLine(JsonElement data)
    {
        var raw = data.GetRawText();
        return raw.AsSpan().ContainsAny('\n', '\r') ? JsonSerializer.Serialize(data, s_compactJson) : raw;
    }

    private List<string> FindCopies(EventDraft draft)
    {
        var copies = new List<string>();
        foreach (var app in registry.FindConsumers(draft.Source, draft.Type))
        {
            if (draft.Topic is null || registry.Find(app)?.Manifest.DeclaresTopic(draft.Topic) == true)
                copies.Add(app);
            else
                metrics.CopySkipped(app);
        }

        return copies;
    }

    /// <summary>Follows <c>causationId</c> back by one step: the receipt of the cause has the length of the chain up to there.</summary>
    private async Task CountHopsAsync(
        IReadOnlyList<EventDraft> drafts, List<NewEvent> events, Func<int, string> pointerOf, FaultList faults, CancellationToken cancellationToken)
    {
        var causes = drafts.Select(draft => ParseCause(draft.Metadata)).ToList();
        var wanted = causes.OfType<EventKey>().ToHashSet();
        if (wanted.Count == 0)
            return;

        var stored = await store.FindReceiptsAsync(wanted, cancellationToken);
        var inBatch = new Dictionary<EventKey, int>();
        for (var i = 0; i < events.Count; i++)
        {
            if (causes[i] is { } cause)
            {
                var hops = 1 + (inBatch.TryGetValue(cause, out var before) ? before : stored.TryGetValue(cause, out var receipt) ? receipt.Hops : 0);
                if (hops > MaxHops)
                    faults.Add(FaultCodes.CausationLoop, pointerOf(i) + "/metadata/causationId", $"The chain of causes is longer than {MaxHops}: apps seem to answer each other for ever.");
                events[i] = events[i] with { Hops = hops };
            }

            inBatch[events[i].Key] = events[i].Hops;
        }
    }

    private static EventKey? ParseCause(IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null || !metadata.TryGetValue("causationId", out var text))
            return null;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && Names.IsApp(text[..slash]) && Names.IsId(text[(slash + 1)..]) ? new EventKey(text[..slash], text[(slash + 1)..]) : null;
    }
}
