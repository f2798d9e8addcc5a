using System.Text.Json;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>What can be checked only when everything has come that will.</summary>
internal static class FinalChecks
{
    public static bool HasAll(Journal journal, IEnumerable<Acknowledged> acknowledged) =>
        acknowledged.All(a => !journal.Entitlement.Covers(a.Publication.To) || journal.EventAt(a.Stream, a.Position) is not null);

    public static void CheckReceived(Journal journal, IEnumerable<Acknowledged> acknowledged, Verdict verdict)
    {
        foreach (var a in acknowledged.Where(a => journal.Entitlement.Covers(a.Publication.To)))
        {
            var there = journal.EventAt(a.Stream, a.Position);
            verdict.Complete.Expect(there == a.Publication.Id, () =>
                $"{journal.Entitlement}: {a.Publication.Id} was acknowledged at {a.Position} of {a.Stream}, where {there ?? "nothing"} was received");
        }
    }

    /// <param name="history">All of one app, as a publisher sees it.</param>
    public static void CheckHistory(
        string app, IReadOnlyList<JsonElement> history, IReadOnlyDictionary<string, Acknowledged> acknowledged, IReadOnlyList<Journal> journals, Verdict verdict)
    {
        var stored = new Dictionary<(string Stream, long Position), string>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var e in history)
        {
            var (stream, position, id) = (e.GetProperty("stream").GetString()!, e.GetProperty("seq").GetInt64(), e.GetProperty("id").GetString()!);
            verdict.History.Expect(stored.TryAdd((stream, position), id), () => $"{position} of {stream} is shown twice");
            verdict.Once.Expect(ids.Add(id), () => $"{id} stands twice in the history of {app}");
            verdict.History.Expect(acknowledged.ContainsKey(id), () => $"{id}, at {position} of {stream}, was never acknowledged");
            verdict.History.Expect(Addressee.Read(e.GetProperty("data"))?.Stream == stream, () => $"{stream} has in the history an event to {Addressee.Read(e.GetProperty("data"))}");
        }

        foreach (var a in acknowledged.Values.Where(a => a.Publication.To.App == app))
        {
            var there = stored.GetValueOrDefault((a.Stream, a.Position));
            verdict.History.Expect(there == a.Publication.Id, () =>
                $"{a.Publication.Id} was acknowledged at {a.Position} of {a.Stream}, where the history has {there ?? "nothing"}");
        }

        foreach (var journal in journals.Where(journal => journal.Entitlement.App == app))
        {
            foreach (var (stream, position, id, _) in journal.Events())
            {
                var there = stored.GetValueOrDefault((stream, position));
                verdict.History.Expect(there == id, () => $"{journal.Entitlement}: received {id} at {position} of {stream}, where the history has {there ?? "nothing"}");
            }
        }
    }

    public static void CheckHistoryOf(Entitlement visible, IReadOnlyList<JsonElement> history, Verdict verdict)
    {
        foreach (var e in history)
        {
            verdict.HistoryContained.Expect(
                e.GetProperty("app").GetString() == visible.App && Addressee.Read(e.GetProperty("data")) is { } to && visible.Covers(to), () => $"{visible}: was shown {e}");
        }
    }
}
