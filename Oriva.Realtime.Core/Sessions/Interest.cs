using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>One reason to send an event: its type, its topic and its data all match.</summary>
internal sealed class Interest(IReadOnlyList<Pattern> types, string? topic, IReadOnlyList<DataFilter> filters)
{
    public const int MostPerSubscription = 50;
    private const int MostTypes = 50;
    private const int MostFilters = 20;

    /// <summary>They are saved with each stream of a subscription, every few seconds.</summary>
    private const int MaxEvidenceLength = 16 * 1024;
    private const string NotKept = "[]";

    public string? Topic { get; } = topic;

    public bool Matches(StoredEvent e)
    {
        if (types.Count > 0 && !types.Any(pattern => pattern.Matches(e.Type)))
            return false;
        if (Topic is not null && Topic != e.Topic)
            return false;
        return filters.All(filter => filter.Matches(e.DataElement));
    }

    /// <summary>Whether every event of the type that has no topic matches.</summary>
    public bool TakesAllOf(string type) => (types.Count == 0 || types.Any(pattern => pattern.Matches(type))) && Topic is null && filters.Count == 0;

    public static List<Interest> Read(IReadOnlyList<InterestRequest>? requests, FaultList faults)
    {
        var interests = new List<Interest>();
        if (requests is null)
            return interests;
        if (requests.Count > MostPerSubscription)
            faults.Add(FaultCodes.TooLarge, "/interests", $"At most {MostPerSubscription} interests.");
        for (var i = 0; i < Math.Min(requests.Count, MostPerSubscription); i++)
            interests.Add(Read(requests[i], $"/interests/{i}", faults));
        return interests;
    }

    /// <summary>What a subscription takes, as its evidence keeps it; null: everything. Too long ones are not kept, and then it is not known what it took.</summary>
    public static string? ToEvidence(IReadOnlyList<InterestRequest>? requests)
    {
        if (requests is not { Count: > 0 })
            return null;
        var text = JsonSerializer.Serialize(requests, WireJson.Options);
        return text.Length <= MaxEvidenceLength ? text : NotKept;
    }

    /// <summary>Whether the subscription whose evidence this is takes the event; null: its interests were not kept.</summary>
    public static bool? Takes(string? evidence, StoredEvent e)
    {
        if (evidence is null)
            return true;
        if (evidence == NotKept)
            return null;
        var interests = Read(JsonSerializer.Deserialize<List<InterestRequest>>(evidence, WireJson.Options), new FaultList());
        return interests.Exists(interest => interest.Matches(e));
    }

    private static Interest Read(InterestRequest? request, string pointer, FaultList faults)
    {
        if (request is null)
        {
            faults.Add(FaultCodes.Invalid, pointer, "Must be {types, topic, filters}.");
            return new Interest([], null, []);
        }

        var types = new List<Pattern>();
        for (var i = 0; i < (request.Types?.Count ?? 0); i++)
        {
            if (i >= MostTypes)
                faults.Add(FaultCodes.TooLarge, pointer + "/types", $"At most {MostTypes} types.");
            else if (Pattern.TryParseType(request.Types![i], out var pattern))
                types.Add(pattern);
            else
                faults.Add(FaultCodes.Invalid, $"{pointer}/types/{i}", "Must be a type, a prefix and '.*', or '*'.");
            if (i >= MostTypes)
                break;
        }

        if (request.Topic is not null && !Names.IsTopic(request.Topic))
            faults.Add(FaultCodes.Invalid, pointer + "/topic", "Is not a topic.");
        if (request.Filters?.Count > MostFilters)
            faults.Add(FaultCodes.TooLarge, pointer + "/filters", $"At most {MostFilters} filters.");
        var filters = (request.Filters ?? []).Take(MostFilters)
            .Select((filter, i) => DataFilter.Read(filter, $"{pointer}/filters/{i}", faults)).OfType<DataFilter>().ToList();
        return new Interest(types, request.Topic, filters);
    }
}
