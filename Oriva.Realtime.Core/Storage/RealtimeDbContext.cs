using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// The model of both providers. With a <see cref="ReadScope"/> its named filters show only what that reader may see, the first of two walls;
/// without one it is the service's own view.
/// </summary>
/// <remarks>The writer does not use it: appends, claims and heads are the few statements of <see cref="PostgresEventStore"/> and <see cref="SqliteEventStore"/>.</remarks>
internal sealed class RealtimeDbContext(DbContextOptions<RealtimeDbContext> options, ReadScope? scope = null) : DbContext(options)
{
    public const string Schema = "realtime";

    // Filters refer to these members, so that EF Core caches one query for all readers. A filter's parameters must not be null.
    private readonly bool _everything = scope is null;
    private readonly bool _whole = scope?.Whole ?? false;
    private readonly string _sub = scope?.Sub ?? "";
    private readonly IReadOnlyList<string> _apps = scope?.Apps ?? [];
    private readonly string[] _topics = [.. (scope?.Topics ?? []).Where(pattern => !pattern.EndsWith('*'))];
    private readonly string[] _topicPrefixes = [.. (scope?.Topics ?? []).Where(pattern => pattern.EndsWith('*')).Select(pattern => pattern[..^1])];

    public DbSet<AppRow> Apps => Set<AppRow>();

    public DbSet<StreamRow> Streams => Set<StreamRow>();

    public DbSet<StoreInfoRow> StoreInfo => Set<StoreInfoRow>();

    public DbSet<EventRow> Events => Set<EventRow>();

    public DbSet<PublishReceiptRow> PublishReceipts => Set<PublishReceiptRow>();

    public DbSet<OutboxRow> Outbox => Set<OutboxRow>();

    public DbSet<AppUserRow> AppUsers => Set<AppUserRow>();

    public DbSet<ApiKeyRow> ApiKeys => Set<ApiKeyRow>();

    public DbSet<RoutingQueueRow> RoutingQueue => Set<RoutingQueueRow>();

    public DbSet<NotificationRow> Notifications => Set<NotificationRow>();

    public DbSet<NotificationDeliveryRow> Deliveries => Set<NotificationDeliveryRow>();

    public DbSet<DeliveryAttemptRow> DeliveryAttempts => Set<DeliveryAttemptRow>();

    public DbSet<InboxCountsRow> InboxCounts => Set<InboxCountsRow>();

    public DbSet<EventSubscriptionRow> EventSubscriptions => Set<EventSubscriptionRow>();

    public DbSet<SubscribedTypeRow> SubscribedTypes => Set<SubscribedTypeRow>();

    public DbSet<PauseRow> Pauses => Set<PauseRow>();

    public DbSet<NotificationRequestRow> NotificationRequests => Set<NotificationRequestRow>();

    public DbSet<NotificationPreferenceRow> NotificationPreferences => Set<NotificationPreferenceRow>();

    public DbSet<PushSubscriptionRow> PushSubscriptions => Set<PushSubscriptionRow>();

    public DbSet<NotificationDigestRow> NotificationDigests => Set<NotificationDigestRow>();

    public DbSet<DigestItemRow> DigestItems => Set<DigestItemRow>();

    public DbSet<ManifestVersionRow> ManifestVersions => Set<ManifestVersionRow>();

    public DbSet<NodeRow> Nodes => Set<NodeRow>();

    public DbSet<NodeCommandRow> NodeCommands => Set<NodeCommandRow>();

    public DbSet<WebsocketConnectionRow> WebsocketConnections => Set<WebsocketConnectionRow>();

    public DbSet<UserBlockRow> UserBlocks => Set<UserBlockRow>();

    public DbSet<AdminAuditRow> AdminAudit => Set<AdminAuditRow>();

    public DbSet<DataProtectionKeyRow> DataProtectionKeys => Set<DataProtectionKeyRow>();

    public DbSet<ConnectionEvidenceRow> ConnectionEvidence => Set<ConnectionEvidenceRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        var postgres = Database.IsNpgsql();
        if (postgres)
            modelBuilder.HasDefaultSchema(Schema);

        modelBuilder.Entity<AppRow>(app =>
        {
            app.ToTable("apps").HasKey(row => row.Id);
            app.Property(row => row.Version).IsConcurrencyToken();
            app.HasQueryFilter("access", row => _everything || _apps.Contains(row.Id));
        });
        modelBuilder.Entity<ManifestVersionRow>().ToTable("manifest_versions").HasKey(row => new { row.App, row.Version });
        modelBuilder.Entity<StreamRow>().ToTable("streams").HasKey(row => row.Stream);
        modelBuilder.Entity<StoreInfoRow>(info =>
        {
            info.ToTable("store_info").HasKey(row => row.Id);
            info.Property(row => row.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<EventRow>(@event =>
        {
            @event.ToTable("events").Property(row => row.Id).IsRequired();
            // PostgreSQL wants the partition key in every unique index; uniqueness of (stream, position) is the head's lock's work there.
            if (postgres)
                @event.HasKey(row => new { row.Stream, row.Position, row.RecordedAt });
            else
                @event.HasKey(row => new { row.Stream, row.Position });
            @event.HasIndex(row => new { row.App, row.RecordedAt, row.Stream, row.Position }).HasDatabaseName("ix_events_app_time");
            @event.HasIndex(row => new { row.App, row.Type, row.RecordedAt }).HasDatabaseName("ix_events_app_type_time");
            if (!postgres)
                @event.HasIndex(row => row.RecordedAt).HasDatabaseName("ix_events_time");
#pragma warning disable CA1310 // Translated to SQL
            @event.HasQueryFilter("audience", row => _everything || (_apps.Contains(row.App) && (_whole || (
                (row.UserId == null || row.UserId == _sub)
                && (row.Topic == null || _topics.Contains(row.App + "/" + row.Topic)
                    || _topicPrefixes.Any(prefix => (row.App + "/" + row.Topic).StartsWith(prefix)))))));
#pragma warning restore CA1310
        });
        modelBuilder.Entity<PublishReceiptRow>(receipt =>
        {
            receipt.ToTable("publish_receipts").HasKey(row => new { row.App, row.EventId });
            receipt.HasIndex(row => row.RecordedAt).HasDatabaseName("ix_publish_receipts_time");
        });
        modelBuilder.Entity<OutboxRow>(outbox =>
        {
            outbox.ToTable("outbox").HasKey(row => row.Id);
            outbox.Property(row => row.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<AppUserRow>(user =>
        {
            user.ToTable("app_users").HasKey(row => new { row.App, row.UserId });
            user.HasIndex(row => row.UserId);
            user.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<ConnectionEvidenceRow>(evidence =>
        {
            evidence.ToTable("connection_evidence").HasKey(row => new { row.ConnectionId, row.Stream, row.FromPosition });
            evidence.HasIndex(row => new { row.UserId, row.Stream });
            evidence.HasIndex(row => row.UpdatedAt);
        });
        modelBuilder.Entity<ApiKeyRow>(key =>
        {
            key.ToTable("api_keys").HasKey(row => row.Id);
            key.Property(row => row.Id).ValueGeneratedNever();
            key.HasIndex(row => row.KeyHash).IsUnique();
        });
        ConfigureNotifications(modelBuilder);
        ConfigureCluster(modelBuilder, postgres);

        if (postgres)
        {
            modelBuilder.Entity<NodeRow>().Property(row => row.Figures).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<WebsocketConnectionRow>().Property(row => row.Subscriptions).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<AdminAuditRow>().Property(row => row.Details).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationRow>().Property(row => row.Actions).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationRow>().Property(row => row.Data).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<EventSubscriptionRow>().Property(row => row.Filters).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationDeliveryRow>().Property(row => row.Content).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationRequestRow>().Property(row => row.Scheduled).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationPreferenceRow>().Property(row => row.Channels).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<NotificationPreferenceRow>().Property(row => row.QuietHours).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<DigestItemRow>().Property(row => row.Data).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<ManifestVersionRow>().Property(row => row.Manifest).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<ConnectionEvidenceRow>().Property(row => row.Interests).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<AppRow>().Property(row => row.Manifest).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<EventRow>().Property(row => row.Data).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<EventRow>().Property(row => row.Metadata).HasColumnType("json").UseCollation(null);
            modelBuilder.Entity<OutboxRow>().Property(row => row.Event).HasColumnType("json").UseCollation(null);
        }
    }

    private void ConfigureNotifications(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<RoutingQueueRow>(work =>
        {
            work.ToTable("routing_queue").HasKey(row => row.Id);
            work.Property(row => row.Id).ValueGeneratedNever();
            work.HasIndex(row => new { row.App, row.DueAt }).HasFilter("failed_at IS NULL").HasDatabaseName("ix_routing_queue_due");
            work.HasIndex(row => row.FailedAt).HasFilter("failed_at IS NOT NULL").HasDatabaseName("ix_routing_queue_dead");
        });
        modelBuilder.Entity<NotificationRow>(notification =>
        {
            notification.ToTable("notifications").HasKey(row => row.Id);
            notification.Property(row => row.Id).ValueGeneratedNever();
            // What makes a notification one notification: routing an event twice makes none.
            notification.HasIndex(row => new { row.App, row.Source, row.EventId, row.Rule, row.UserId }).IsUnique().HasDatabaseName("ix_notifications_once");
            notification.HasIndex(row => new { row.UserId, row.App, row.Id }).HasDatabaseName("ix_notifications_inbox");
            notification.HasIndex(row => row.ExpiresAt).HasFilter("expires_at IS NOT NULL AND in_inbox AND archived_at IS NULL").HasDatabaseName("ix_notifications_expiry");
            notification.HasIndex(row => row.CreatedAt).HasDatabaseName("ix_notifications_time");
            notification.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<NotificationDeliveryRow>(delivery =>
        {
            delivery.ToTable("notification_delivery").HasKey(row => row.Id);
            delivery.Property(row => row.Id).ValueGeneratedNever();
            delivery.HasIndex(row => new { row.NotificationId, row.Channel, row.Target }).IsUnique().HasDatabaseName("ix_notification_delivery_channel");
            delivery.HasIndex(row => new { row.App, row.NextAttemptAt }).HasFilter("next_attempt_at IS NOT NULL").HasDatabaseName("ix_notification_delivery_due");
            delivery.HasIndex(row => new { row.App, row.UserId }, "websocket").HasFilter("channel = 'websocket' AND status IN ('pending', 'sent')").HasDatabaseName("ix_notification_delivery_websocket");
            // Named here: two indexes of the same columns are one to EF Core otherwise.
            delivery.HasIndex(row => new { row.App, row.UserId }, "held").HasFilter("unless_acked AND status IN ('pending', 'failed')").HasDatabaseName("ix_notification_delivery_held");
            delivery.HasIndex(row => row.FailedAt).HasFilter("status = 'dead'").HasDatabaseName("ix_notification_delivery_dead");
            delivery.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<DeliveryAttemptRow>(attempt =>
        {
            attempt.ToTable("delivery_attempts").HasKey(row => row.Id);
            attempt.Property(row => row.Id).ValueGeneratedNever();
            attempt.HasIndex(row => row.DeliveryId);
            attempt.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<InboxCountsRow>(counts =>
        {
            counts.ToTable("inbox_counts").HasKey(row => new { row.App, row.UserId });
            counts.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<EventSubscriptionRow>(subscription =>
        {
            subscription.ToTable("event_subscriptions").HasKey(row => row.Id);
            subscription.Property(row => row.Id).ValueGeneratedNever();
            subscription.HasIndex(row => new { row.App, row.Type, row.Topic, row.UserId }).HasDatabaseName("ix_event_subscriptions_followers");
            subscription.HasIndex(row => new { row.UserId, row.App });
            subscription.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<SubscribedTypeRow>().ToTable("subscribed_types").HasKey(row => new { row.App, row.Type });
        modelBuilder.Entity<PauseRow>(pause =>
        {
            pause.ToTable("pauses").HasKey(row => row.Id);
            pause.Property(row => row.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<NotificationRequestRow>(request =>
        {
            request.ToTable("notification_requests").HasKey(row => new { row.App, row.Id });
            request.HasIndex(row => new { row.App, row.SendAt }).HasFilter("scheduled IS NOT NULL").HasDatabaseName("ix_notification_requests_due");
            request.HasIndex(row => row.CreatedAt);
        });
        modelBuilder.Entity<NotificationPreferenceRow>(preference =>
        {
            preference.ToTable("notification_preferences").HasKey(row => new { row.App, row.UserId });
            preference.Property(row => row.Version).IsConcurrencyToken();
            preference.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<PushSubscriptionRow>(subscription =>
        {
            subscription.ToTable("push_subscriptions").HasKey(row => row.Id);
            subscription.Property(row => row.Id).ValueGeneratedNever();
            subscription.HasIndex(row => new { row.App, row.Endpoint }).IsUnique().HasDatabaseName("ix_push_subscriptions_endpoint");
            subscription.HasIndex(row => new { row.App, row.UserId }).HasDatabaseName("ix_push_subscriptions_user");
            subscription.HasQueryFilter("self", row => _everything || (_apps.Contains(row.App) && (_whole || row.UserId == _sub)));
        });
        modelBuilder.Entity<NotificationDigestRow>(digest =>
        {
            digest.ToTable("notification_digests").HasKey(row => row.Id);
            digest.Property(row => row.Id).ValueGeneratedNever();
            digest.HasIndex(row => new { row.App, row.Rule, row.UserId, row.Key }).IsUnique().HasDatabaseName("ix_notification_digests_open");
            digest.HasIndex(row => new { row.App, row.DueAt }).HasDatabaseName("ix_notification_digests_due");
        });
        modelBuilder.Entity<DigestItemRow>(item =>
        {
            item.ToTable("digest_items").HasKey(row => new { row.App, row.Source, row.EventId, row.Rule, row.UserId });
            item.HasIndex(row => row.DigestId);
            item.HasIndex(row => row.At);
        });
        modelBuilder.Entity<NotificationThrottleRow>(throttle =>
        {
            throttle.ToTable("notification_throttles").HasKey(row => new { row.App, row.Rule, row.UserId, row.Key });
            throttle.HasIndex(row => row.EndsAt);
        });
    }

    private void ConfigureCluster(ModelBuilder modelBuilder, bool postgres)
    {
        modelBuilder.Entity<NodeRow>().ToTable("nodes").HasKey(row => row.Id);
        modelBuilder.Entity<NodeCommandRow>(command =>
        {
            command.ToTable("node_commands").HasKey(row => row.Id);
            command.Property(row => row.Id).ValueGeneratedNever();
            command.HasIndex(row => row.NodeId).HasFilter("done_at IS NULL").HasDatabaseName("ix_node_commands_waiting");
        });
        modelBuilder.Entity<WebsocketConnectionRow>(connection =>
        {
            connection.ToTable("websocket_connections").HasKey(row => row.Id);
            connection.HasIndex(row => new { row.UserId, row.ConnectedAt });
            connection.HasIndex(row => row.NodeId).HasFilter("closed_at IS NULL").HasDatabaseName("ix_websocket_connections_open");
            connection.HasIndex(row => row.ClosedAt);
            if (postgres)
                connection.HasIndex(row => row.Scopes).HasMethod("gin").HasFilter("closed_at IS NULL").HasDatabaseName("ix_websocket_connections_scopes");
            // Presence: who is there in an app or topic that the reader may see.
            connection.HasQueryFilter("presence", row => _everything || (row.ClosedAt == null && row.Scopes.Any(scope => _apps.Contains(scope) || _topics.Contains(scope))));
        });
        modelBuilder.Entity<UserBlockRow>().ToTable("user_blocks").HasKey(row => row.UserId);
        modelBuilder.Entity<AdminAuditRow>(audit =>
        {
            audit.ToTable("admin_audit").HasKey(row => row.Id);
            audit.Property(row => row.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<DataProtectionKeyRow>().ToTable("data_protection_keys").HasKey(row => row.Name);
    }

    protected override void ConfigureConventions(ModelConfigurationBuilder configuration)
    {
        // One order everywhere: the writer locks heads in ordinal order, and keyset pages compare in it.
        if (Database.IsNpgsql())
            configuration.Properties<string>().UseCollation("C");
        else
            configuration.Properties<DateTimeOffset>().HaveConversion<UnixMicroseconds>();
    }

    /// <summary>SQLite has no time type, and EF Core cannot compare its texts: microseconds since 1970, UTC.</summary>
    private sealed class UnixMicroseconds() : ValueConverter<DateTimeOffset, long>(
        time => StoreTime.ToMicroseconds(time), stored => StoreTime.FromMicroseconds(stored));
}
