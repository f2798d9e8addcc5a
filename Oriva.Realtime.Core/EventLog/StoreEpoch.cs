namespace Oriva.Realtime.Core.EventLog;

/// <summary>The epoch of the store that this node works on, learnt at its start.</summary>
internal sealed class StoreEpoch
{
    private string? _value;

    public string Value
    {
        get => _value ?? throw new Storage.StoreException(Storage.StoreFailure.Unavailable, "The node has not reached its store yet.");
        set => _value = value;
    }
}
