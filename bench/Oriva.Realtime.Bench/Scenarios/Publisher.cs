using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>One publisher: a connection and a request that it sends again and again, to one user after another or to everyone.</summary>
internal sealed class Publisher : IDisposable
{
    private readonly IPublishLine _line;
    private readonly Target _target;
    private readonly Audience _audience;
    private readonly PublishRequest _request;
    private readonly uint[] _numbers;
    private readonly long[] _positions;

    private Publisher(IPublishLine line, Target target, Audience audience, PublishRequest request)
    {
        (_line, _target, _audience, _request) = (line, target, audience, request);
        _numbers = new uint[request.Events];
        _positions = new long[request.Events];
    }

    public static async Task<Publisher[]> ConnectAsync(Target target, Audience audience, int events, int count, Route route, string type, CancellationToken cancellationToken)
    {
        var request = target.BuildPublish(audience, events, route, type);
        var publishers = new Publisher[count];
        for (var i = 0; i < count; i++)
        {
            publishers[i] = new Publisher(await target.ConnectPublisherAsync(route, cancellationToken), target, audience, request.Copy());
        }

        return publishers;
    }

    /// <summary>Publishes, and enters what is acknowledged in the ledger.</summary>
    /// <exception cref="BenchException">It was not acknowledged: none of the loads here is one that a server may refuse.</exception>
    public async ValueTask PublishAsync(long dueAt, int slot)
    {
        for (var i = 0; i < _numbers.Length; i++)
        {
            _numbers[i] = _target.NextNumber();
            _request.Write(i, UserOf(_numbers[i]), new Mark(dueAt, slot, _numbers[i]));
        }

        if (!await _line.PublishAsync(_request.Bytes))
            throw new BenchException($"{_target.Name} refused a publish: {System.Text.Encoding.UTF8.GetString(_line.Answer)}");
        _target.ReadReceipts(_line.Answer, _positions);
        for (var i = 0; i < _numbers.Length; i++)
            _target.Ledger.Acknowledge(_audience == Audience.User ? UserOf(_numbers[i]) : null, _numbers[i], _positions[i]);
    }

    public void Dispose() => _line.Dispose();

    private int UserOf(uint number) => (int)(number % (uint)_target.Users);
}
