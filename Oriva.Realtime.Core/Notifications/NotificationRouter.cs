using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>
/// From event to notifications. Events that concern a rule or a durable subscription wait in a queue that the append itself filled; routers of all nodes
/// take from it, find recipients and write what comes of it.
/// </summary>
/// <remarks>
/// A chunk goes through these steps, and a crash after any of them loses and doubles nothing:
/// <list type="number">
/// <item>Claim: a lease by the database's clock, under a fresh lock id. A dead router's claims are taken over when they lapse.</item>
/// <item>Find recipients, from where the event's last chunk ended, at most 500 over all events of the chunk.</item>
/// <item>Compose their texts.</item>
/// <item>In one transaction, and only for events that are still this router's: notifications, deliveries, counts, log entries, and how far each event has
/// come. Crash before its commit: nothing of the chunk exists, and the next claim begins where this one did. After it: the next goes on behind it.</item>
/// </list>
/// Apps take turns by the chunk, and the events of an app by the chunk too, so that an event for everybody holds up neither.
/// </remarks>
internal sealed partial class NotificationRouter(
    NotificationStore store, RecipientFinder finder, NotificationComposer composer, NotificationEvents events, DeliveryPlanner planner, DeliveryWorker deliveries,
    EventLogWriter writer, AppRegistry registry, NotificationInterest interest, RealtimeMetrics metrics, TimeProvider time, IOptions<DeliveryOptions> options, ILogger<NotificationRouter> logger)
    : BackgroundService
{
    private const int ChunkRecipients = 500;

    /// <summary>Each recipient's notification has the event's data: of large ones fewer go into a chunk.</summary>
    private const int ChunkCharacters = 4 * 1024 * 1024;

    /// <summary>Events of one app that are taken at once, and so how many share a transaction at most.</summary>
    private const int ClaimPerApp = 100;

    private static readonly TimeSpan s_outagePause = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Queue<RoutingWork>> _claimed = new(StringComparer.Ordinal);
    private readonly Queue<string> _turns = new();

    /// <summary>Routes what is due, until nothing is.</summary>
    /// <returns>How many events it took.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var taken = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            taken += await ClaimAsync(cancellationToken);
            if (!_turns.TryDequeue(out var app))
                return taken;
            var works = _claimed[app];
            if (works.Count == 0)
            {
                _claimed.Remove(app);
                continue;
            }

            _turns.Enqueue(app);
            await RouteChunkAsync(app, works, cancellationToken);
        }

        return taken;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var answering = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stoppingToken);
                answering = true;
                await writer.RoutingQueued.WaitAsync(options.Value.Poll, time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // What was claimed is gone from memory, and due again when its lease has lapsed.
                _claimed.Clear();
                _turns.Clear();
                if (!StoreOutage.Is(e))
                    LogFailed(e);
                else if (answering)
                    LogUnavailable(e.Message);
                answering = false;
                await Task.Delay(s_outagePause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Step 1, for apps of which nothing waits here.</summary>
    private async Task<int> ClaimAsync(CancellationToken cancellationToken)
    {
        var works = await store.ClaimRoutingAsync(ClaimPerApp, [.. _claimed.Keys], options.Value.Lease, time.GetUtcNow());
        if (works.Exists(work => registry.Find(work.App) is not { } app || app.Version < work.ManifestVersion))
            await registry.RefreshAsync(cancellationToken);
        // Somebody may have subscribed on the node that appended them.
        if (works.Count > 0)
            await interest.RefreshAsync(cancellationToken);
        foreach (var app in works.GroupBy(work => work.App, StringComparer.Ordinal))
        {
            _claimed[app.Key] = new Queue<RoutingWork>(app);
            _turns.Enqueue(app.Key);
        }

        return works.Count;
    }

    private async Task RouteChunkAsync(string app, Queue<RoutingWork> works, CancellationToken cancellationToken)
    {
        var chunk = new List<RoutingWork>();
        try
        {
            var owners = await FindOwnersAsync(app, works, cancellationToken);
            var routed = new RoutedEvents();
            var characters = 0;
            while (routed.Count < ChunkRecipients && characters < ChunkCharacters && works.TryDequeue(out var work))
            {
                chunk.Add(work);
                var before = routed.Count;
                await PrepareAsync(app, work, owners, ChunkRecipients - before, routed, cancellationToken);
                characters += (routed.Count - before) * (work.Event?.Data.Length ?? 0);
            }

            await WriteAsync(app, works, routed, cancellationToken);
        }
        catch (Exception e) when (!StoreOutage.Is(e) && e is not OperationCanceledException)
        {
            if (chunk.Count == 0)
            {
                // Not even their owners were found: all of them are tried alone, so that none stays in front for ever.
                chunk.AddRange(works);
                works.Clear();
            }

            await RouteOneByOneAsync(app, works, chunk, cancellationToken);
        }
    }

    /// <summary>One of the chunk is at fault: alone, it fails alone.</summary>
    private async Task RouteOneByOneAsync(string app, Queue<RoutingWork> works, List<RoutingWork> chunk, CancellationToken cancellationToken)
    {
        foreach (var work in chunk)
        {
            try
            {
                var routed = new RoutedEvents();
                await PrepareAsync(app, work, await FindOwnersAsync(app, [work], cancellationToken), ChunkRecipients, routed, cancellationToken);
                await WriteAsync(app, works, routed, cancellationToken);
            }
            catch (Exception e) when (!StoreOutage.Is(e) && e is not OperationCanceledException)
            {
                var delays = options.Value.DelaysOf("");
                var now = time.GetUtcNow();
                var due = work.Attempts < delays.Count ? now + delays[work.Attempts] : default(DateTimeOffset?);
                LogRefused(e, work.App, work.Source, work.EventId, due is null ? "a dead letter" : "tried again");
                metrics.RoutingFailed(work.App);
                await store.FailRoutingAsync(work, e.Message, due, now);
            }
        }
    }

    // It was there when the event was appended: another node may know how to read what this one does not.
    private App Get(string app) => registry.Find(app) ?? throw new InvalidOperationException($"This node knows no manifest of the app '{app}'.");

    private Task<IReadOnlyDictionary<string, string?>> FindOwnersAsync(string app, IEnumerable<RoutingWork> works, CancellationToken cancellationToken) =>
        finder.FindOwnersAsync(Get(app), works.Select(work => work.Event), cancellationToken);

    /// <summary>Steps 2 and 3.</summary>
    private async Task PrepareAsync(
        string appId, RoutingWork work, IReadOnlyDictionary<string, string?> owners, int room, RoutedEvents routed, CancellationToken cancellationToken)
    {
        if (work.Event is not { } e)
        {
            LogGone(work.App, work.Source, work.EventId);
            routed.Progress.Add(new RoutingProgress(work, IsDone: true));
            return;
        }

        var app = Get(appId);

        var after = work.ResumeRule is null ? null : new RecipientPosition(work.ResumeRule, work.ResumeUser);
        var page = await finder.FindAsync(app, e, owners, after, Math.Clamp(ChunkCharacters / (e.Data.Length + 1_024), 1, room), cancellationToken);
        var texts = new Dictionary<(NotificationRule?, LocalizedText?), ComposedText>();
        var throttles = new Dictionary<NotificationRule, NewThrottle?>();
        var digestKeys = new Dictionary<NotificationRule, string>();
        var now = time.GetUtcNow();
        foreach (var recipient in page.Recipients)
        {
            if (recipient.Rule is { Digest: { } digest } digesting)
            {
                if (!digestKeys.TryGetValue(digesting, out var key))
                    digestKeys[digesting] = key = await composer.KeyAsync(app, e, digest.Key);
                routed.Digested.Add(ToDigestItem(work, e, recipient, digest, key));
                continue;
            }

            NewThrottle? throttle = null;
            if (recipient.Rule is { Throttle: not null } throttled && !throttles.TryGetValue(throttled, out throttle))
                throttles[throttled] = throttle = await composer.ThrottleOfAsync(app, e, throttled);

            var variant = recipient.Rule?.TextFor(recipient.Locale);
            if (!texts.TryGetValue((recipient.Rule, variant), out var text))
                texts[(recipient.Rule, variant)] = text = await composer.ComposeAsync(app, e, recipient.Rule, variant);
            var notification = new NewNotification
            {
                Id = Guid.CreateVersion7(now),
                WorkId = work.Id,
                App = work.App,
                UserId = recipient.UserId,
                Type = e.Type,
                Rule = recipient.Rule?.Name ?? "",
                Source = work.Source,
                EventId = work.EventId,
                Title = text.Title,
                Body = text.Body,
                Link = text.Link,
                Image = text.Image,
                Actions = text.Actions,
                Data = recipient.SeesEvent ? e.Data : "{}",
                TemplateError = text.TemplateError,
                ManifestVersion = recipient.Rule is null ? null : app.Version,
                EmailContent = text.EmailContent,
                Throttle = throttle,
                Deliveries = [],
            };
            routed.Planned.Add(new PlannedNotification(notification, recipient.Channels, app.Manifest.IsRequired(e.Type), recipient.Rule?.UnlessAckedWithin));
        }

        routed.Progress.Add(page.Next is { } next ? new RoutingProgress(work, IsDone: false, next.Rule, next.User) : new RoutingProgress(work, IsDone: true));
    }

    private static NewDigestItem ToDigestItem(RoutingWork work, StoredEvent e, Recipient recipient, DigestRule digest, string key) => new()
    {
        WorkId = work.Id,
        App = work.App,
        Rule = recipient.Rule!.Name,
        UserId = recipient.UserId,
        Key = key,
        Source = work.Source,
        EventId = work.EventId,
        Data = e.Data,
        SeesEvent = recipient.SeesEvent,
        At = e.RecordedAt,
        Position = e.Position,
        Window = digest.Window,
        Max = digest.Max,
    };

    /// <summary>Step 4.</summary>
    private async Task WriteAsync(string app, Queue<RoutingWork> works, RoutedEvents routed, CancellationToken cancellationToken)
    {
        var (now, progress) = (StoreTime.Truncate(time.GetUtcNow()), routed.Progress);
        var notifications = await planner.PlanAsync(app, routed.Planned, now, cancellationToken);
        var written = await store.RouteAsync(progress, notifications, routed.Digested, options.Value.Lease, now, (notification, counts) => events.OfCreated(notification, counts, now));
        // Behind the app's other events.
        foreach (var step in progress.Where(step => !step.IsDone && written.Held.Contains(step.Work.Id)))
            works.Enqueue(step.Work with { ResumeRule = step.ResumeRule, ResumeUser = step.ResumeUser });
        foreach (var step in progress.Where(step => step.IsDone && step.Work.Event is not null && written.Held.Contains(step.Work.Id)))
            metrics.Routed(step.Work.App, now - step.Work.Event!.RecordedAt);
        if (written.Added.Count == 0)
            return;
        metrics.Notified(written.Added[0].App, written.Added.Count);
        events.Announce();
        if (written.Added.Any(notification => notification.Deliveries.Any(delivery => delivery.DueAt is not null)))
            deliveries.Announce();
    }

    /// <summary>What a chunk has come to.</summary>
    private sealed class RoutedEvents
    {
        public List<RoutingProgress> Progress { get; } = [];

        public List<PlannedNotification> Planned { get; } = [];

        public List<NewDigestItem> Digested { get; } = [];

        public int Count => Planned.Count + Digested.Count;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The routing queue cannot be read; notifications wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Routing failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Event {Source}/{EventId} cannot be routed in app {App}; it is {What}")]
    private partial void LogRefused(Exception exception, string app, string source, string eventId, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Event {Source}/{EventId} of app {App} is no longer in the log; nobody is notified of it")]
    private partial void LogGone(string app, string source, string eventId);
}
