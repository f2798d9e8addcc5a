namespace Oriva.Realtime.Core.EventLog;

/// <summary>How long events and notifications are kept. Section <c>Retention</c>.</summary>
public sealed class RetentionOptions
{
    /// <summary>Whole days, counted back from now; an event is kept at least that long.</summary>
    public int Days { get; set; } = 30;

    /// <summary>Whole days that notifications are kept, with what became of them, and the ids of requests for them.</summary>
    public int NotificationDays { get; set; } = 90;

    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(10);
}
