using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>The databases' own speed, measured first in each round, so that what is stored over them can be told as a share of it.</summary>
internal sealed class Ceiling
{
    private readonly Dictionary<Store, RawDatabase> _databases = [];
    private readonly Dictionary<Store, double> _rates = [];

    public static async Task<Ceiling> OpenAsync(StageHands hands, CancellationToken cancellationToken)
    {
        var ceiling = new Ceiling();
        foreach (var store in hands.StoreKinds)
            ceiling._databases[store] = await hands.OpenRawAsync(store, cancellationToken);
        return ceiling;
    }

    public Case Measure() => new("the database alone", null,
        [.. _databases.Select(store => new Entry(store.Value.Name, false, async (duration, stop) => Remember(store.Key, await store.Value.RunAsync(duration, stop))))]);

    /// <summary>Adds the share, where the server stores anything.</summary>
    public Measurement Compare(Stage stage, Measurement measured) => stage.Target.Store is { } store && _rates.TryGetValue(store, out var rate)
        ? measured.With(Figure.Share("÷ database", measured.Find(Figure.RateName)!.Value / rate))
        : measured;

    private Measurement Remember(Store store, Measurement measured)
    {
        _rates[store] = measured.Find(Figure.RateName)!.Value;
        return measured;
    }
}
