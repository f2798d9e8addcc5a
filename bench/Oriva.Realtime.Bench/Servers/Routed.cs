namespace Oriva.Realtime.Bench.Servers;

/// <summary>What routing has come to since a server started, or what is expected of it.</summary>
/// <param name="Events">All of whose notifications are stored.</param>
/// <param name="Notifications">That are stored.</param>
/// <param name="Rows">That the log has, with those that bring users their notifications.</param>
internal sealed record Routed(long Events, long Notifications, long Rows)
{
    /// <summary>Whether something is more than it may become.</summary>
    public bool Exceeds(Routed expected) => Events > expected.Events || Notifications > expected.Notifications || Rows > expected.Rows;

    public Routed Plus(long count, Routed each) => new(Events + (count * each.Events), Notifications + (count * each.Notifications), Rows + (count * each.Rows));
}
