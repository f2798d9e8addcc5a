using System.Diagnostics.Metrics;

namespace Oriva.Realtime.Core.Diagnostics;

/// <summary>What operators watch: publish, append, push, sessions. Tags are app ids and codes, never users or payloads.</summary>
public sealed class RealtimeMetrics : IDisposable
{
    public const string MeterName = "Oriva.Realtime";

    private static readonly InstrumentAdvice<double> s_latencyBuckets = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    };

    private static readonly InstrumentAdvice<int> s_sizeBuckets = new() { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] };

    private readonly Meter _meter;
    private readonly Counter<long> _published, _refused, _queueRefused, _rowsRefused, _copiesSkipped, _pushed, _resets, _signalsDropped;
    private readonly Counter<long> _feedSent, _feedDropped, _routingFailed, _notified, _templatesFailed, _attempts, _held;
    private readonly Histogram<double> _publishDuration, _appendDuration, _pushLatency, _feedRoundTrip, _routingLatency, _attemptDuration;
    private readonly Histogram<int> _appendRows;
    private readonly UpDownCounter<int> _sessions, _subscriptions;

    public RealtimeMetrics(IMeterFactory meters)
    {
        _meter = meters.Create(MeterName);
        _published = _meter.CreateCounter<long>("oriva.publish.events", "{event}", "Events acknowledged to publishers.");
        _refused = _meter.CreateCounter<long>("oriva.publish.refused", "{publish}", "Publishes refused, by code.");
        _publishDuration = _meter.CreateHistogram("oriva.publish.duration", "s", "From draft to durable receipt.", null, s_latencyBuckets);
        _queueRefused = _meter.CreateCounter<long>("oriva.append.queue_full", "{publish}", "Publishes refused because the app's queue was full.");
        _rowsRefused = _meter.CreateCounter<long>("oriva.append.rows_refused", "{publish}", "Publishes that the store could not take.");
        _appendDuration = _meter.CreateHistogram("oriva.append.duration", "s", "One commit of the writer.", null, s_latencyBuckets);
        _appendRows = _meter.CreateHistogram("oriva.append.rows", "{row}", "Rows in one commit.", null, s_sizeBuckets);
        _copiesSkipped = _meter.CreateCounter<long>("oriva.share.skipped", "{copy}", "Cross-app copies skipped because the other app declares no such topic.");
        _pushed = _meter.CreateCounter<long>("oriva.push.events", "{event}", "Events handed to connections.");
        _pushLatency = _meter.CreateHistogram("oriva.push.latency", "s", "From recorded to handed to a connection; replayed events are not counted.", null, s_latencyBuckets);
        _resets = _meter.CreateCounter<long>("oriva.session.resets", "{reset}", "Subscriptions whose position could not be honoured, by reason.");
        _signalsDropped = _meter.CreateCounter<long>("oriva.signals.dropped", "{signal}", "Signals dropped because a reader did not keep up.");
        _feedSent = _meter.CreateCounter<long>("oriva.feed.sent", "{message}", "Messages to the other nodes that Redis took.");
        _feedDropped = _meter.CreateCounter<long>("oriva.feed.dropped", "{message}", "Messages to the other nodes that were not sent, because Redis was away or behind; the poll of heads finds their events.");
        _feedRoundTrip = _meter.CreateHistogram("oriva.feed.round_trip", "s", "From this node to Redis and back, by its own messages.", null, s_latencyBuckets);
        _routingLatency = _meter.CreateHistogram("oriva.routing.latency", "s", "From an event recorded to all its notifications stored.", null, s_latencyBuckets);
        _routingFailed = _meter.CreateCounter<long>("oriva.routing.failed", "{event}", "Attempts to route an event that failed, by app.");
        _notified = _meter.CreateCounter<long>("oriva.notifications", "{notification}", "Notifications stored, by app.");
        _templatesFailed = _meter.CreateCounter<long>("oriva.notifications.template_errors", "{notification}", "Texts that a template could not make, by app; plain text took their place.");
        _attempts = _meter.CreateCounter<long>("oriva.delivery.attempts", "{attempt}", "Attempts to deliver, by channel and outcome.");
        _attemptDuration = _meter.CreateHistogram("oriva.delivery.duration", "s", "One attempt, by channel.", null, s_latencyBuckets);
        _held = _meter.CreateCounter<long>("oriva.delivery.held", "{delivery}", "Deliveries given back because their destination's circuit is open, by channel.");
        _sessions = _meter.CreateUpDownCounter<int>("oriva.sessions", "{session}", "Open sessions, by output.");
        _subscriptions = _meter.CreateUpDownCounter<int>("oriva.subscriptions", "{subscription}", "Live subscriptions.");
    }

    /// <summary>What has been counted here since the start, for the node's heartbeat.</summary>
    public NodeTotals Totals { get; } = new();

    public void Published(string app, int events, TimeSpan duration)
    {
        Totals.AddPublished(events);
        _published.Add(events, Tag("app", app));
        _publishDuration.Record(duration.TotalSeconds);
    }

    public void PublishRefused(string code) => _refused.Add(1, Tag("code", code));

    public void QueueRefused(string app) => _queueRefused.Add(1, Tag("app", app));

    public void RowRefused(string app) => _rowsRefused.Add(1, Tag("app", app));

    public void Appended(int rows, TimeSpan duration)
    {
        _appendRows.Record(rows);
        _appendDuration.Record(duration.TotalSeconds);
    }

    public void CopySkipped(string app) => _copiesSkipped.Add(1, Tag("app", app));

    public void Pushed(int events)
    {
        Totals.AddPushed(events);
        _pushed.Add(events);
    }

    public void PushLatency(TimeSpan latency)
    {
        Totals.AddLatency(latency);
        _pushLatency.Record(latency.TotalSeconds);
    }

    public void Reset(string reason) => _resets.Add(1, Tag("reason", reason));

    public void SignalDropped() => _signalsDropped.Add(1);

    public void FeedSent() => _feedSent.Add(1);

    public void FeedDropped() => _feedDropped.Add(1);

    public void FeedRoundTrip(TimeSpan duration) => _feedRoundTrip.Record(duration.TotalSeconds);

    public void Routed(string app, TimeSpan latency) => _routingLatency.Record(latency.TotalSeconds, Tag("app", app));

    public void RoutingFailed(string app) => _routingFailed.Add(1, Tag("app", app));

    public void Notified(string app, int notifications) => _notified.Add(notifications, Tag("app", app));

    public void TemplateFailed(string app) => _templatesFailed.Add(1, Tag("app", app));

    public void DeliveryAttempted(string channel, string outcome, TimeSpan duration)
    {
        _attempts.Add(1, Tag("channel", channel), Tag("outcome", outcome));
        _attemptDuration.Record(duration.TotalSeconds, Tag("channel", channel));
    }

    public void DeliveryHeld(string channel) => _held.Add(1, Tag("channel", channel));

    public void SessionsChanged(int by, string output)
    {
        Totals.AddSessions(by);
        _sessions.Add(by, Tag("output", output));
    }

    public void SubscriptionsChanged(int by) => _subscriptions.Add(by);

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
