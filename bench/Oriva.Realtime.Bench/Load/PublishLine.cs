namespace Oriva.Realtime.Bench.Load;

/// <summary>How a publish reaches a server.</summary>
internal enum Route
{
    Post,

    /// <summary>A hub method, invoked over WebSocket.</summary>
    Hub,
}

/// <summary>A publisher's connection, with at most one publish outstanding.</summary>
internal interface IPublishLine : IDisposable
{
    /// <summary>The receipts or the refusal, until the next publish.</summary>
    ReadOnlySpan<byte> Answer { get; }

    /// <returns>Whether it was acknowledged.</returns>
    ValueTask<bool> PublishAsync(ReadOnlyMemory<byte> request);
}
