using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>
/// What one user got of one event. Goes through the apps in which it stands; each step adds what it has seen and, where it speaks for or against, a finding.
/// The best finding is the verdict.
/// </summary>
internal sealed class UserTracer(RealtimeDbContext context, TracedEvent e, ManifestHistory manifests, string userId, DateTimeOffset now)
{
    /// <summary>Intervals that are shown of one stream; a client that polls has one for each poll.</summary>
    private const int MostIntervals = 50;

    private readonly List<TraceStep> _steps = [];
    private readonly List<Finding> _findings = [];
    private bool _wasEverMember;

    /// <returns>What each rule on the type means for the user.</returns>
    public async Task<IReadOnlyList<TracedRule>> TraceAsync(Place place, string routing, CancellationToken cancellationToken)
    {
        var member = await context.AppUsers.AsNoTracking().FirstOrDefaultAsync(row => row.App == place.App && row.UserId == userId, cancellationToken);
        var isMember = AddMembership(place, member);
        await TraceLiveAsync(place, isMember, cancellationToken);
        return await TraceNotificationsAsync(place, routing, member, isMember, cancellationToken);
    }

    /// <summary>An app that might have had a copy of the event and has none. It is why the user has nothing only where no app with a copy ever was the user's.</summary>
    public async Task AddNotSharedAsync(string app, (string Reason, string[] Missing) why, CancellationToken cancellationToken)
    {
        if (!await context.AppUsers.AnyAsync(row => row.App == app && row.UserId == userId && row.JoinedAt <= e.RecordedAt && (row.LeftAt == null || row.LeftAt > e.RecordedAt), cancellationToken))
            return;
        _steps.Add(new TraceStep(e.RecordedAt, app, TraceSteps.NotShared, $"'{app}' has no copy of the event: {string.Join("; ", why.Missing)}.") { Reason = why.Reason });
        if (!_wasEverMember)
            Find(Verdicts.NotEntitled, why.Reason, $"'{app}', which '{userId}' is a member of, has no copy of the event of '{e.Source}'.", why.Missing);
    }

    public UserTrace Conclude()
    {
        var best = _findings.MinBy(finding => finding.Rank)
            ?? new Finding(Verdicts.Unknown, e.Kept ? TraceReasons.NotMade : TraceReasons.EventDropped, "Nothing is kept that would tell.");
        IReadOnlyList<string> missing = Verdicts.IsDelivered(best.Verdict) ? [] : [.. best.Missing.Concat(_findings.OrderBy(finding => finding.Rank).SelectMany(finding => finding.Missing)).Distinct()];
        return new UserTrace(userId, best.Verdict, best.Reason, best.Explanation, missing, _steps);
    }

    private bool AddMembership(Place place, AppUserRow? member)
    {
        _wasEverMember |= member is not null;
        var why = member is null ? TraceReasons.NeverJoined
            : member.JoinedAt > place.RecordedAt ? TraceReasons.JoinedLater
            : member.LeftAt <= place.RecordedAt ? TraceReasons.LeftApp
            : null;
        var said = why switch
        {
            TraceReasons.NeverJoined => $"'{userId}' has never been a member of '{place.App}'.",
            TraceReasons.JoinedLater => $"'{userId}' became a member of '{place.App}' only at {Text(member!.JoinedAt)}.",
            TraceReasons.LeftApp => $"'{userId}' had left '{place.App}' at {Text(member!.LeftAt!.Value)}.",
            _ when member!.LeftAt is { } left => $"'{userId}' was a member of '{place.App}', and has left it at {Text(left)}.",
            _ => $"'{userId}' is a member of '{place.App}' since {Text(member.JoinedAt)}.",
        };
        _steps.Add(new TraceStep(member?.LeftAt ?? member?.JoinedAt, place.App, TraceSteps.Member, said) { Reason = why });
        if (why is not null)
            Find(Verdicts.NotMember, why, said, $"'{userId}' would have to be a member of '{place.App}' at {Text(place.RecordedAt)}");
        return why is null;
    }

    private async Task TraceLiveAsync(Place place, bool isMember, CancellationToken cancellationToken)
    {
        if (place.Event is not { } stored)
        {
            _steps.Add(new TraceStep(place.RecordedAt, place.App, TraceSteps.Unknown, "Retention has dropped the event; its receipt is left.") { Reason = TraceReasons.EventDropped });
            Find(Verdicts.Unknown, TraceReasons.EventDropped, "Retention has dropped the event, so that it cannot be told any more what was pushed.");
            return;
        }

        if (stored.UserId is not null && stored.UserId != userId)
        {
            _steps.Add(new TraceStep(place.RecordedAt, place.App, TraceSteps.Audience, "The event is another user's.") { Reason = TraceReasons.OtherUser });
            Find(Verdicts.NotEntitled, TraceReasons.OtherUser, $"The event was published to another user than '{userId}'.", $"the event would have to be published to '{userId}', to a topic or to all");
            return;
        }

        var evidence = context.ConnectionEvidence.AsNoTracking().Where(row => row.UserId == userId && row.Stream == stored.Stream);
        var intervals = await evidence.Where(row => row.FromPosition < stored.Position && row.PushedPosition >= stored.Position)
            .OrderBy(row => row.OpenedAt).Take(MostIntervals).ToListAsync(cancellationToken);
        foreach (var interval in intervals)
            AddInterval(place, interval, LiveEvidence.Judge(interval, stored));
        if (intervals.Count == 0 && isMember)
            AddNobody(place, stored, hasFollowed: await evidence.AnyAsync(cancellationToken));
    }

    private void AddInterval(Place place, ConnectionEvidenceRow interval, string judged)
    {
        var (said, at) = judged switch
        {
            TraceSteps.Pushed => ("Pushed as it came.", place.RecordedAt),
            TraceSteps.Replayed => ($"Pushed to a connection that was opened later, at {Text(interval.OpenedAt)}.", interval.OpenedAt),
            TraceSteps.Filtered => ("The connection was there, and its interests did not match the event.", place.RecordedAt),
            _ => ("The connection was there; its interests were too long to be kept, so it is not known whether they matched.", place.RecordedAt),
        };
        _steps.Add(new TraceStep(at, place.App, judged, said) { Connection = interval.ConnectionId });
        var matches = $"the interests of a connection of '{userId}' would have to match the event";
        switch (judged)
        {
            case TraceSteps.Filtered:
                Find(Verdicts.Filtered, TraceReasons.Interest, $"'{userId}' was connected to '{place.App}', and the interests of the subscription did not match the event.", matches);
                break;
            case TraceSteps.Unknown:
                Find(Verdicts.Unknown, TraceReasons.InterestsNotKept, $"'{userId}' was connected to '{place.App}' with interests that were too long to be kept.", matches);
                break;
            default:
                var acknowledged = $"a client of '{userId}' would have to acknowledge it";
                if (interval.AckedPosition >= place.Position)
                {
                    _steps.Add(new TraceStep(null, place.App, TraceSteps.Acknowledged, "The client said that it had handled it.") { Connection = interval.ConnectionId });
                    Find(Verdicts.Acknowledged, TraceReasons.Live, $"The event was pushed to '{userId}' in '{place.App}', and the client acknowledged it.");
                }
                else if (judged == TraceSteps.Pushed)
                {
                    Find(Verdicts.Pushed, TraceReasons.Live, $"The event was pushed live to '{userId}' in '{place.App}'; no client has acknowledged it.", acknowledged);
                }
                else
                {
                    Find(Verdicts.Replayed, TraceReasons.Live, $"'{userId}' was offline, and was pushed the event when a client of '{place.App}' came at {Text(interval.OpenedAt)}.", acknowledged);
                }

                break;
        }
    }

    /// <summary>No session was pushed it or passed it over.</summary>
    private void AddNobody(Place place, StoredEvent stored, bool hasFollowed)
    {
        var connected = $"a connection of '{userId}' would have to be subscribed to '{place.App}'" + (stored.Topic is null ? "" : $" with the topic '{stored.Topic}'");
        if (LiveEvidence.WhyUnknown(place.RecordedAt, now) is { } why)
        {
            var said = why == TraceReasons.TooRecent
                ? $"What connections are pushed is known {LiveEvidence.Lag.TotalSeconds} s later at the latest."
                : $"What connections are pushed is kept for {Retention.EvidenceAge.Days} days.";
            _steps.Add(new TraceStep(place.RecordedAt, place.App, TraceSteps.Unknown, said) { Reason = why });
            Find(Verdicts.Unknown, why, $"It cannot be told whether the event was pushed to '{userId}'. {said}", connected);
        }
        else if (stored.Topic is not null && !hasFollowed)
        {
            var needsClaim = manifests.Find(place.App)?.Topics.FirstOrDefault(topic => topic.Pattern.Matches(stored.Topic))?.NeedsClaim != false;
            _steps.Add(new TraceStep(place.RecordedAt, place.App, TraceSteps.Audience, $"No connection of '{userId}' has followed the topic '{stored.Topic}'.") { Reason = TraceReasons.TopicNotFollowed });
            Find(
                Verdicts.NotSubscribed, TraceReasons.TopicNotFollowed, $"The event is of the topic '{stored.Topic}' of '{place.App}', which no connection of '{userId}' has followed.",
                needsClaim ? [connected, $"a token of '{userId}' would have to name '{place.App}/{stored.Topic}' in its topics"] : [connected]);
        }
        else
        {
            _steps.Add(new TraceStep(place.RecordedAt, place.App, TraceSteps.Offline, "No connection of the user was pushed it.") { Reason = TraceReasons.NoConnection });
            Find(
                Verdicts.Offline, TraceReasons.NoConnection,
                $"'{userId}' has not been connected to '{place.App}' since; a client that comes back with its cursor gets the event as long as the log keeps it.", connected);
        }
    }

    private async Task<IReadOnlyList<TracedRule>> TraceNotificationsAsync(Place place, string routing, AppUserRow? member, bool isMember, CancellationToken cancellationToken)
    {
        var notifications = await context.Notifications.AsNoTracking()
            .Where(row => row.App == place.App && row.Source == e.Source && row.EventId == e.Id && row.UserId == userId).OrderBy(row => row.Rule).ToListAsync(cancellationToken);
        var digested = await context.DigestItems.AsNoTracking()
            .Where(row => row.App == place.App && row.Source == e.Source && row.EventId == e.Id && row.UserId == userId).ToListAsync(cancellationToken);

        var traced = new List<TracedRule>();
        var rules = e.Type is null ? [] : manifests.Find(place.App)?.RulesOn(e.Type) ?? [];
        var followed = await FollowedAsync(place, cancellationToken);
        // Those that are no rules of that manifest are of one that came before the event was routed, or of a subscription that no rule describes.
        var names = rules.Select(rule => rule.Name).Concat(notifications.Select(row => row.Rule)).Concat(digested.Select(row => row.Rule)).ToList();
        if (followed.Count > 0 && rules.All(rule => rule.AudienceFor(e.UserId) == NotificationRule.ToUser) && (rules.Count == 0 || e.UserId != userId))
            names.Insert(0, "");
        foreach (var name in names.Distinct(StringComparer.Ordinal))
        {
            var told = name.Length == 0 ? "its subscriptions" : $"the rule '{name}'";
            var (matched, reason) = (true, notifications.Exists(row => row.Rule == name) ? TraceReasons.Notified : digested.Exists(row => row.Rule == name) ? TraceReasons.Digested : null);
            if (reason is null)
                (matched, reason) = JudgeRule(place, rules.FirstOrDefault(rule => rule.Name == name), told, followed, routing, member, isMember);
            traced.Add(new TracedRule(name, matched, reason));
            _steps.Add(new TraceStep(null, place.App, TraceSteps.Rule, InWords(reason, told)) { Rule = name, Reason = reason });
            foreach (var notification in notifications.Where(row => row.Rule == name))
                await AddNotificationAsync(notification, inDigest: false, cancellationToken);
            foreach (var item in digested.Where(row => row.Rule == name))
                await AddDigestAsync(item, cancellationToken);
        }

        return traced;
    }

    private async Task<List<EventSubscriptionRow>> FollowedAsync(Place place, CancellationToken cancellationToken)
    {
        if (e.Type is null || BuiltInTypes.IsReserved(e.Type))
            return [];
        var patterns = NotificationInterest.PatternsOf(e.Type);
        return await context.EventSubscriptions.AsNoTracking().Where(row => row.App == place.App && row.UserId == userId && patterns.Contains(row.Type) && row.CreatedAt <= place.RecordedAt)
            .ToListAsync(cancellationToken);
    }

    /// <summary>Why a rule has not told the user.</summary>
    /// <returns>Whether the user is one whom it tells.</returns>
    private (bool Matched, string Reason) JudgeRule(
        Place place, NotificationRule? rule, string told, List<EventSubscriptionRow> followed, string routing, AppUserRow? member, bool isMember)
    {
        var audience = rule is null ? NotificationRule.ToFollowers : rule.AudienceFor(e.UserId);
        if (audience == NotificationRule.ToUser && e.UserId is null)
            return (false, TraceReasons.NoUser);
        if (audience != NotificationRule.ToMembers && e.UserId is not null && e.UserId != userId)
            return (false, TraceReasons.OtherUser);
        if (!isMember)
            return (false, TraceReasons.NotMember);
        if (audience == NotificationRule.ToFollowers && FindFollowingFault(place, rule, followed) is { } fault)
        {
            _findings.Add(fault);
            return (false, fault.Reason);
        }

        if (member!.LeftAt is { } left)
        {
            Find(Verdicts.NotMember, TraceReasons.LeftApp, $"'{userId}' had left '{place.App}' at {Text(left)}, when the event was routed.", $"'{userId}' would have to be a member of '{place.App}'");
            return (true, TraceReasons.LeftApp);
        }

        var (verdict, reason, said) = routing switch
        {
            RoutingState.Waiting => (Verdicts.Waiting, TraceReasons.Routing, "The event waits to be routed in '{0}'; after that {1} will tell '{2}'."),
            RoutingState.Dead => (Verdicts.Dead, TraceReasons.RoutingFailed, "The event could not be routed in '{0}'; it is a dead letter of the channel 'routing', and {1} has not told '{2}'."),
            _ => (Verdicts.Unknown, TraceReasons.NotMade, "In '{0}' no notification of the event is there for '{2}', although {1} matches it; it may have been deleted since, or matched only later."),
        };
        Find(verdict, reason, string.Format(CultureInfo.InvariantCulture, said, place.App, told, userId));
        return (true, reason);
    }

    /// <summary>Why the user's durable subscriptions do not match; null: one does.</summary>
    private Finding? FindFollowingFault(Place place, NotificationRule? rule, List<EventSubscriptionRow> followed)
    {
        var ofTopic = followed.FindAll(row => row.Topic == e.Topic);
        var needed = $"'{userId}' would need a durable subscription in '{place.App}' to '{e.Type}'" + (e.Topic is null ? "" : $" of the topic '{e.Topic}'");
        if (ofTopic.Count == 0)
        {
            return e.Topic is null
                ? new Finding(Verdicts.NotSubscribed, TraceReasons.NoSubscription, $"In '{place.App}' the type tells those who subscribed to it, and '{userId}' has no durable subscription to it.", needed)
                : new Finding(Verdicts.NotSubscribed, TraceReasons.TopicNotFollowed, $"'{userId}' has no durable subscription to the topic '{e.Topic}' of '{place.App}'.", needed);
        }

        var isOpen = e.Topic is null || manifests.Find(place.App)?.IsOpen(e.Topic) == true;
        var allowed = ofTopic.FindAll(row => isOpen || row.TopicGranted);
        if (allowed.Count == 0)
        {
            return new Finding(
                Verdicts.NotEntitled, TraceReasons.ClaimNeeded, $"'{userId}' has a durable subscription to the topic '{e.Topic}' of '{place.App}', and members may not follow it any more.",
                $"'{userId}' would have to subscribe again with a token that names '{place.App}/{e.Topic}' in its topics");
        }

        var matching = allowed.FindAll(row => place.Event is null || RecipientFinder.FiltersOf(row).TrueForAll(filter => filter.Matches(place.Event.DataElement)));
        if (matching.Count == 0)
        {
            return new Finding(
                Verdicts.Filtered, TraceReasons.SubscriptionFilter, $"'{userId}' has a durable subscription to the type in '{place.App}', and its filters did not match the event.",
                $"the filters of a durable subscription of '{userId}' in '{place.App}' would have to match the event");
        }

        var offered = rule is null ? null : RecipientFinder.ChannelsOf(rule);
        if (offered is not null && matching.TrueForAll(row => row.Channels is { } wanted && !wanted.Any(offered.Contains)))
        {
            return new Finding(
                Verdicts.Suppressed, TraceReasons.NoChannel, $"'{userId}' subscribed with channels of which the rule '{rule!.Name}' of '{place.App}' offers none.",
                $"the durable subscription of '{userId}' would have to name one of {string.Join(", ", offered)}");
        }

        return null;
    }

    private async Task AddDigestAsync(DigestItemRow item, CancellationToken cancellationToken)
    {
        var open = await context.NotificationDigests.AsNoTracking().FirstOrDefaultAsync(row => row.Id == item.DigestId, cancellationToken);
        if (open is not null)
        {
            _steps.Add(new TraceStep(item.At, item.App, TraceSteps.Digest, $"Collected in a digest that is due at {Text(open.DueAt)}.") { Rule = item.Rule, NextAttemptAt = open.DueAt, Reason = TraceReasons.Collecting });
            Find(Verdicts.Digested, TraceReasons.Collecting, $"The event is in a digest of the rule '{item.Rule}' of '{item.App}', of which '{userId}' is told at {Text(open.DueAt)}.");
            return;
        }

        _steps.Add(new TraceStep(item.At, item.App, TraceSteps.Digest, "Collected in a digest that has ended.") { Rule = item.Rule, Reason = TraceReasons.InDigest });
        var id = item.DigestId.ToString("D");
        var notification = await context.Notifications.AsNoTracking().FirstOrDefaultAsync(row => row.App == item.App && row.Source == "" && row.EventId == id && row.UserId == userId, cancellationToken);
        if (notification is not null)
            await AddNotificationAsync(notification, inDigest: true, cancellationToken);
    }

    private async Task AddNotificationAsync(NotificationRow row, bool inDigest, CancellationToken cancellationToken)
    {
        var states = new (string Name, DateTimeOffset? At)[] { ("seen", row.SeenAt), ("read", row.ReadAt), ("archived", row.ArchivedAt), ("recalled", row.RecalledAt), ("expires", row.ExpiresAt) };
        var said = $"A notification was made{(row.ManifestVersion is { } version ? $" by manifest version {version}" : "")}"
            + string.Concat(states.Where(state => state.At is not null).Select(state => $", {state.Name} {Text(state.At!.Value)}")) + ".";
        _steps.Add(new TraceStep(row.CreatedAt, row.App, TraceSteps.Notification, said)
        {
            Rule = row.Rule, Notification = row.Id, Title = row.Title, Reason = row.TemplateError is null ? null : TraceReasons.TemplateError, Error = row.TemplateError,
        });
        if (row.ReadAt is { } read)
            Find(Verdicts.Read, Verdicts.Read, $"'{userId}' read the notification of it in the inbox of '{row.App}' at {Text(read)}.");
        else if (row.SeenAt is { } seen)
            Find(Verdicts.Read, TraceReasons.Seen, $"'{userId}' saw the notification of it in the inbox of '{row.App}' at {Text(seen)}.");
        if (row.RecalledAt is { } recalled)
            Find(Verdicts.Recalled, Verdicts.Recalled, $"The notification of it in '{row.App}' was recalled at {Text(recalled)}.", "the notification would have to be left standing");

        var deliveries = await context.Deliveries.AsNoTracking().Where(delivery => delivery.NotificationId == row.Id).OrderBy(delivery => delivery.Channel).ThenBy(delivery => delivery.Target).ToListAsync(cancellationToken);
        var ids = deliveries.ConvertAll(delivery => delivery.Id);
        var attempts = (await context.DeliveryAttempts.AsNoTracking().Where(attempt => ids.Contains(attempt.DeliveryId)).OrderBy(attempt => attempt.At).ToListAsync(cancellationToken)).ToLookup(attempt => attempt.DeliveryId);
        foreach (var delivery in deliveries)
        {
            await AddDeliveryAsync(row, delivery, [.. attempts[delivery.Id]], inDigest, cancellationToken);
            foreach (var attempt in attempts[delivery.Id])
            {
                _steps.Add(new TraceStep(attempt.At, row.App, TraceSteps.Attempt, $"By {delivery.Channel}: {attempt.Outcome}, after {attempt.DurationMs} ms.")
                {
                    Rule = row.Rule, Notification = row.Id, Channel = delivery.Channel, Target = Empty(delivery.Target), Status = attempt.Outcome, Error = attempt.Error,
                });
            }
        }
    }

    private async Task AddDeliveryAsync(NotificationRow row, NotificationDeliveryRow delivery, List<DeliveryAttemptRow> attempts, bool inDigest, CancellationToken cancellationToken)
    {
        var finding = await JudgeAsync(row, delivery, attempts, cancellationToken);
        if (finding is { Verdict: Verdicts.Notified } && inDigest)
            finding = new Finding(Verdicts.Digested, TraceReasons.InDigest, $"The event was in a digest of '{row.App}', of which '{userId}' was told by {delivery.Channel}.");
        if (finding is not null)
            _findings.Add(finding);
        _steps.Add(new TraceStep(delivery.DeliveredAt ?? delivery.SentAt ?? delivery.FailedAt ?? delivery.CreatedAt, row.App, TraceSteps.Delivery, finding?.Explanation ?? $"By {delivery.Channel}: {delivery.Status}.")
        {
            Rule = row.Rule, Notification = row.Id, Channel = delivery.Channel, Target = Empty(delivery.Target), Status = delivery.Status, Reason = delivery.Reason ?? finding?.Reason,
            Error = delivery.LastError, NextAttemptAt = delivery.NextAttemptAt,
        });
    }

    /// <summary>What a delivery speaks for; null: nothing more than the notification itself.</summary>
    private async Task<Finding?> JudgeAsync(NotificationRow row, NotificationDeliveryRow delivery, List<DeliveryAttemptRow> attempts, CancellationToken cancellationToken)
    {
        var by = $"to '{userId}' by {delivery.Channel}";
        var wanted = $"the delivery by {delivery.Channel} would have to get through";
        switch (delivery.Status)
        {
            case DeliveryStatus.Delivered when delivery.Channel == ChannelNames.InApp:
                var isGone = row.RecalledAt is not null || row.ExpiresAt <= now;
                return isGone ? null : new Finding(Verdicts.Notified, delivery.Channel, $"The notification of it stands in the inbox of '{userId}' in '{row.App}', and has not been looked at.");
            case DeliveryStatus.Delivered when delivery.Channel == ChannelNames.Websocket:
                return new Finding(Verdicts.Acknowledged, delivery.Channel, $"The notification of it was pushed to '{userId}' in '{row.App}', and the client acknowledged it.");
            case DeliveryStatus.Sent when delivery.Channel == ChannelNames.Websocket:
                return new Finding(Verdicts.Pushed, delivery.Channel, $"The notification of it was pushed to '{userId}' in '{row.App}'; no client has acknowledged it.");
            case DeliveryStatus.Delivered or DeliveryStatus.Sent:
                return new Finding(Verdicts.Notified, delivery.Channel, $"The notification of it was sent {by} at {Text(delivery.SentAt ?? delivery.DeliveredAt ?? delivery.CreatedAt)}.");
            case DeliveryStatus.Dead:
                var isRefused = attempts is [.., { Outcome: "refused" }];
                return new Finding(
                    Verdicts.Dead, isRefused ? TraceReasons.Refused : TraceReasons.Failed,
                    $"The notification of it could not be sent {by} after {delivery.Attempts} attempt(s), and is a dead letter ({delivery.LastError}).", wanted, "an operator would have to retry the dead letter");
            case DeliveryStatus.Suppressed or DeliveryStatus.Cancelled:
                var reason = delivery.Reason ?? delivery.Status;
                return new Finding(
                    Finding.VerdictOf(delivery.Status, delivery.Reason), reason, $"The notification of it was not sent {by}: {TraceReasons.InWords(reason)}.", $"this would have to be otherwise: {TraceReasons.InWords(reason)}");
        }

        if (delivery.Channel == ChannelNames.Websocket)
            return new Finding(Verdicts.Offline, TraceReasons.NotPushed, $"The notification of it waits for a connection of '{userId}' to '{row.App}'.", $"a connection of '{userId}' would have to be subscribed to '{row.App}'");
        if (await context.Pauses.AnyAsync(
            pause => (pause.App == null || pause.App == row.App) && (pause.Rule == null || pause.Rule == row.Rule) && (pause.Channel == null || pause.Channel == delivery.Channel), cancellationToken))
            return Waiting(Verdicts.Held, TraceReasons.Paused, null);
        if (delivery.Status == DeliveryStatus.Failed)
            return Waiting(Verdicts.Retrying, TraceReasons.Failed, delivery.LastError);
        // What a destination is asked for again when it is back stays due meanwhile.
        return delivery.NextAttemptAt <= now && delivery.Reason != TraceReasons.CircuitOpen
            ? Waiting(Verdicts.Waiting, TraceReasons.Due, null)
            : Waiting(Verdicts.Held, delivery.Reason ?? TraceReasons.Due, delivery.Reason == TraceReasons.CircuitOpen ? delivery.LastError : null);

        Finding Waiting(string verdict, string why, string? lastError) => new(
            verdict, why,
            $"The notification of it is still to be sent {by}: {(why == TraceReasons.Failed ? $"{delivery.Attempts} attempt(s) failed" : TraceReasons.InWords(why))}"
                + (lastError is null ? "" : $" ({lastError})") + (delivery.NextAttemptAt > now ? $"; next at {Text(delivery.NextAttemptAt!.Value)}." : "."),
            wanted);
    }

    private void Find(string verdict, string reason, string explanation, params string[] missing) => _findings.Add(new Finding(verdict, reason, explanation, missing));

    private string InWords(string reason, string told) => reason switch
    {
        TraceReasons.Notified => $"'{userId}' was notified by {told}.",
        TraceReasons.Digested => $"For {told} the event is in a digest of '{userId}'.",
        TraceReasons.NoUser => $"{Capital(told)} tells the event's user, and the event has none.",
        TraceReasons.OtherUser => $"{Capital(told)} tells the event's user, who is another.",
        TraceReasons.NotMember => $"{Capital(told)} tells members of the app only.",
        TraceReasons.LeftApp => $"'{userId}' had left the app when the event was routed.",
        TraceReasons.NoSubscription => $"{Capital(told)} tells followers, and '{userId}' has no durable subscription to the type.",
        TraceReasons.TopicNotFollowed => $"{Capital(told)} tells followers, and '{userId}' has no durable subscription to the topic.",
        TraceReasons.ClaimNeeded => $"'{userId}' may not follow the topic any more.",
        TraceReasons.SubscriptionFilter => $"No durable subscription of '{userId}' has filters that match the event.",
        TraceReasons.NoChannel => $"'{userId}' subscribed with channels that {told} does not offer.",
        TraceReasons.Routing => $"The event waits to be routed; then {told} tells '{userId}'.",
        TraceReasons.RoutingFailed => $"The event could not be routed, so {told} has told nobody yet.",
        _ => $"{Capital(told)} matches, and no notification is there.",
    };

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private static string? Empty(string text) => text.Length == 0 ? null : text;
}
