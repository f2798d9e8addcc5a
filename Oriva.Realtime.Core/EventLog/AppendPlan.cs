using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>Lays out a group: which row goes to which stream, how far each stream grows, and in which order heads are locked.</summary>
internal static class AppendPlan
{
    /// <param name="known">Events of the requests that are stored already: they get no row.</param>
    /// <returns>Rows in the order of the requests' events, an event's copies after it.</returns>
    /// <param name="interest">What of it concerns notifications.</param>
    public static AppendGroup Build(
        List<AppendRequest> requests, IReadOnlyDictionary<EventKey, StoredReceipt> known, NotificationInterest interest, DateTimeOffset now)
    {
        var rows = new List<AppendRow>(requests.Count);
        var streams = new Dictionary<string, StreamGrowth>(StringComparer.Ordinal);
        foreach (var request in requests)
        {
            foreach (var e in request.Events)
            {
                if (known.Count > 0 && known.ContainsKey(e.Key))
                    continue;
                Place(e, e.Source, isSource: true);
                foreach (var app in e.CopyTo)
                    Place(e, app, isSource: false);
            }
        }

        var inOrder = streams.Values.ToArray();
        Array.Sort(inOrder, static (one, other) => string.CompareOrdinal(one.Stream.Text, other.Stream.Text));
        return new AppendGroup(rows, inOrder, now, [.. requests.Where(request => request.OutboxId is not null).Select(request => request.OutboxId!.Value)]);

        void Place(NewEvent e, string app, bool isSource)
        {
            var stream = StreamName.Of(app, e.UserId, e.Topic);
            if (!streams.TryGetValue(stream.Text, out var growth))
                streams[stream.Text] = growth = new StreamGrowth(stream);
            var routing = interest.FindVersion(app, e.Type) is { } version ? new Routing(Guid.CreateVersion7(now), version) : default(Routing?);
            rows.Add(new AppendRow(e, growth, ++growth.Count, isSource, routing));
        }
    }
}
