using System.Globalization;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>How notifications are routed and delivered. Section <c>Delivery</c>.</summary>
public sealed class DeliveryOptions
{
    /// <summary>Seconds after each failed attempt until the next, joined by commas. A delivery that fails once more is dead.</summary>
    public string RetryDelays { get; set; } = "1,2,4,8,16";

    /// <summary>The same for one channel; where it is not set, <see cref="RetryDelays"/> counts.</summary>
    public ChannelRetryDelays Channels { get; set; } = new();

    /// <summary>By how many percent a delay is made longer or shorter at random, so that what failed together is not tried again together.</summary>
    public int JitterPercent { get; set; } = 20;

    /// <summary>After which another node takes over what a dead one claimed, by the database's clock. A channel has three quarters of it to send.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the queues are looked at when nothing has announced anything.</summary>
    public TimeSpan Poll { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Sends that this node has under way at once.</summary>
    public int Concurrency { get; set; } = 16;

    /// <summary>Failures of one destination after the other that open its circuit: then its deliveries are held and spend no attempts.</summary>
    public int CircuitFailures { get; set; } = 5;

    /// <summary>After which one delivery is let through to see whether the destination is back.</summary>
    public TimeSpan CircuitBreak { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The delays of a channel.</summary>
    public IReadOnlyList<TimeSpan> DelaysOf(string channel) =>
        [.. (Channels.Find(channel) ?? RetryDelays).Split(',').Select(text => TimeSpan.FromSeconds(double.Parse(text, CultureInfo.InvariantCulture)))];

    public static bool AreDelays(string text) => Array.TrueForAll(
        text.Split(','), part => double.TryParse(part, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= 86_400);
}

public sealed class ChannelRetryDelays
{
    public string? Push { get; set; }

    public string? Email { get; set; }

    public string? Webhook { get; set; }

    internal string? Find(string channel) => channel switch
    {
        ChannelNames.Push => Push,
        ChannelNames.Email => Email,
        ChannelNames.Webhook => Webhook,
        _ => null,
    };
}
