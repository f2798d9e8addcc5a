using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using StackExchange.Redis;

namespace Oriva.Realtime.Core.Feed;

/// <summary>
/// Carries what a node has appended to the other nodes, over Redis: one message a commit and lane, after the commit. A receiver believes only what follows on
/// what it has, and asks the log for the rest; so a message that is lost, late or doubled costs a read at most, and never an event.
/// </summary>
/// <remarks>
/// Nobody waits for Redis. While it is away, or does not keep up, nothing is sent and nothing kept: the poll of heads finds the events within about a second.
/// A lane is a hash of the stream's name, so that a stream's messages stay in order and several are worked on at once. The channel carries the store's epoch:
/// deployments that share a Redis do not hear each other. Whoever can publish on these channels can show sessions what is not in the log: Redis is the cluster's own.
/// </remarks>
internal sealed partial class RedisFeed(
    RedisConnection redis, NodeIdentity self, StoreEpoch epoch, StreamFeed feed, RealtimeMetrics metrics, TimeProvider time, ILogger<RedisFeed> logger)
    : BackgroundService
{
    private const int Lanes = 16;

    /// <summary>Messages that Redis has not answered; more are not sent.</summary>
    private const int MostUnderWay = 1_024;
    private const long MostBytesUnderWay = 16 * 1024 * 1024;

    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    private volatile ISubscriber? _subscriber;
    private RedisChannel[] _channels = [];
    private int _followedLanes;
    private int _underWay;
    private long _bytesUnderWay;

    /// <summary>Others may be told: events that nobody follows here are worth encoding.</summary>
    public bool IsOpen => _subscriber is not null && redis.IsUp;

    /// <summary>Tells the other nodes. Never waits and never fails.</summary>
    public void Publish(IReadOnlyList<StreamAdvance> advances)
    {
        if (!IsOpen || _subscriber is not { } subscriber)
            return;
        if (advances.Count == 1)
        {
            Send(subscriber, LaneOf(advances[0].Stream), advances);
            return;
        }

        foreach (var lane in advances.GroupBy(advance => LaneOf(advance.Stream)))
            Send(subscriber, lane.Key, [.. lane]);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var uptime = await redis.WaitAsync(stoppingToken);
                _channels = [.. Enumerable.Range(0, Lanes).Select(lane => RedisChannel.Literal($"oriva:feed:{epoch.Value}:{lane}"))];
                var subscriber = _subscriber = uptime.Multiplexer.GetSubscriber();
                // A process that only publishes hears nothing.
                using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, uptime.Ended);
                await feed.Followed.WaitAsync(ending.Token);
                for (; _followedLanes < Lanes; _followedLanes++)
                    (await subscriber.SubscribeAsync(_channels[_followedLanes])).OnMessage(message => Receive(message.Message));
                // The client subscribes again by itself after each outage.
                return;
            }
            catch (OperationCanceledException)
            {
                // The node stops, or Redis has gone.
            }
            catch (Exception e)
            {
                LogNotYet(e.Message);
            }

            await Task.Delay(s_retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Send(ISubscriber subscriber, int lane, IReadOnlyList<StreamAdvance> advances)
    {
        if (Volatile.Read(ref _underWay) >= MostUnderWay || Volatile.Read(ref _bytesUnderWay) >= MostBytesUnderWay)
        {
            metrics.FeedDropped();
            return;
        }

        var message = FeedMessage.Write(self.Instance, time.GetTimestamp(), advances);
        Interlocked.Increment(ref _underWay);
        Interlocked.Add(ref _bytesUnderWay, message.Length);
        _ = SendAsync(subscriber, lane, message);
    }

    private async Task SendAsync(ISubscriber subscriber, int lane, byte[] message)
    {
        try
        {
            await subscriber.PublishAsync(_channels[lane], message);
            metrics.FeedSent();
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            metrics.FeedDropped();
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
            Interlocked.Add(ref _bytesUnderWay, -message.Length);
        }
    }

    private void Receive(RedisValue value)
    {
        ReadOnlyMemory<byte> message = value;
        if (!FeedMessage.TryReadSender(message.Span, out var sender, out var clock))
        {
            LogMalformed(message.Length);
            return;
        }

        // One's own comes back too: no other clock is needed to see how long Redis takes.
        if (sender == self.Instance)
        {
            metrics.FeedRoundTrip(time.GetElapsedTime(clock));
            return;
        }

        if (FeedMessage.TryRead(message.Span, feed, out var advances))
            feed.Follow(advances);
        else
            LogMalformed(message.Length);
    }

    /// <summary>FNV-1a: the same on every node and in every version.</summary>
    private static int LaneOf(string stream)
    {
        var hash = 2166136261u;
        foreach (var c in stream)
            hash = (hash ^ c) * 16777619u;
        return (int)(hash % Lanes);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The feed over Redis cannot be followed yet: {Reason}")]
    private partial void LogNotYet(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of {Bytes} bytes on the feed's channels is none of this version's; it is passed over")]
    private partial void LogMalformed(int bytes);
}
