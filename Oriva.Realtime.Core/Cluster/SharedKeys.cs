using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Cluster;

/// <summary>Keys that all nodes share, as their makers write them. Nothing is cached here: who asks keeps them.</summary>
/// <remarks>While the store is away, both calls throw what <see cref="StoreOutage"/> knows as an outage.</remarks>
public sealed class SharedKeys
{
    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;

    internal SharedKeys(RealtimeDatabase database, TimeProvider time)
    {
        _database = database;
        _time = time;
    }

    public IReadOnlyList<string> Read() => Run(context => context.DataProtectionKeys.OrderBy(key => key.CreatedAt).Select(key => key.Xml).ToList());

    public void Add(string name, string xml) => Run(context =>
    {
        context.DataProtectionKeys.Add(new DataProtectionKeyRow { Name = name, Xml = xml, CreatedAt = _time.GetUtcNow() });
        return context.SaveChanges();
    });

    private T Run<T>(Func<RealtimeDbContext, T> work)
    {
        try
        {
            using var context = _database.ForService();
            return work(context);
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            throw new StoreException(StoreFailure.Unavailable, "The keys cannot be read or stored: " + e.GetBaseException().Message, e);
        }
    }
}
