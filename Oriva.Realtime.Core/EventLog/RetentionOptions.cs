namespace Oriva.Realtime.Core.EventLog;

/// <summary>How long events are kept. Section <c>Retention</c>.</summary>
public sealed class RetentionOptions
{
    /// <summary>Whole days, counted back from now; an event is kept at least that long.</summary>
    public int Days { get; set; } = 30;

    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(10);
}
