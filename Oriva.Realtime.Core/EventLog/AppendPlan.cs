using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>Lays out a group: which row goes to which stream, how far each stream grows, and in which order heads are locked.</summary>
internal static class AppendPlan
{
    /// <param name="known">Events of the requests that are stored already: they get no row.</param>
    public static AppendGroup Build(List<AppendRequest> requests, IReadOnlyDictionary<EventKey, StoredReceipt> known, DateTimeOffset now)
    {
        var placed = new List<(NewEvent Event, StreamName Stream, bool IsSource)>();
        foreach (var e in requests.SelectMany(request => request.Events).Where(e => !known.ContainsKey(e.Key)))
        {
            placed.Add((e, StreamName.Of(e.Source, e.UserId, e.Topic), true));
            foreach (var app in e.CopyTo)
                placed.Add((e, StreamName.Of(app, e.UserId, e.Topic), false));
        }

        var growth = new SortedDictionary<string, StreamGrowth>(StringComparer.Ordinal);
        foreach (var (_, stream, _) in placed)
            growth[stream.Text] = new StreamGrowth(stream, growth.TryGetValue(stream.Text, out var sofar) ? sofar.Count + 1 : 1);

        var rows = new List<AppendRow>(placed.Count);
        var remaining = growth.Values.ToDictionary(stream => stream.Stream.Text, stream => stream.Count);
        foreach (var (e, stream, isSource) in placed)
            rows.Add(new AppendRow(e, stream, -(--remaining[stream.Text]), isSource));

        return new AppendGroup(rows, [.. growth.Values], now, [.. requests.Where(request => request.OutboxId is not null).Select(request => request.OutboxId!.Value)]);
    }
}
