namespace Oriva.Realtime.Bench.Load;

/// <summary>What a server has acknowledged, by audience: what everyone entitled must have received, once each.</summary>
internal sealed class Ledger(int users)
{
    private readonly Lock[] _locks = [.. Enumerable.Range(0, users).Select(_ => new Lock())];
    private readonly Tally[] _users = new Tally[users];
    private readonly Lock _everyoneLock = new();
    private Tally _everyone;

    /// <param name="user">Null: everyone.</param>
    /// <param name="position">As the receipt has it; 0 for a server without positions.</param>
    public void Acknowledge(int? user, uint number, long position)
    {
        lock (user is { } id ? _locks[id] : _everyoneLock)
        {
            ref var tally = ref user is { } index ? ref _users[index] : ref _everyone;
            tally = tally.Plus(number, position);
        }
    }

    public Tally ExpectedBy(int user)
    {
        Tally own;
        lock (_locks[user])
            own = _users[user];
        lock (_everyoneLock)
            return own.Plus(_everyone);
    }

    public long CountAcknowledged() => _users.Sum(tally => tally.Events) + _everyone.Events;
}
