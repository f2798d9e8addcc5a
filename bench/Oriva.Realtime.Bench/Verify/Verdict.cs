namespace Oriva.Realtime.Bench.Verify;

/// <summary>All that is checked. What is about one message is checked when it comes, the rest when everything has come.</summary>
internal sealed class Verdict
{
    public Check Answered { get; } = new("answered", "every publish gets a receipt in the end, for the stream that it was for");

    public Check OnePosition { get; } = new("one-position", "an id that is acknowledged again has the position that it had");

    public Check Complete { get; } = new("nothing-lost", "each acknowledged event reached each connection that is entitled to it");

    public Check Once { get; } = new("nothing-doubled", "no event stands at two positions of a stream, and no position has two events");

    public Check Ordered { get; } = new("in-order", "positions in a stream go up by one");

    public Check Gapless { get; } = new("gapless", "a batch begins where the one before ended, except after a lost answer of a long poll");

    public Check Resumed { get; } = new("cursor-honoured", "subscribing with a cursor goes on there, and no subscription is reset");

    public Check Contained { get; } = new("no-leak", "no connection receives an event of another app, another user or a topic that it does not follow");

    public Check SignalsContained { get; } = new("no-signal-leak", "the same of signals");

    public Check WellFormed { get; } = new("well-formed", "messages have the properties that the contract gives them");

    public Check History { get; } = new("history-agrees", "the history has what was acknowledged and what was received, where it was, and nothing else");

    public Check HistoryContained { get; } = new("no-history-leak", "a user's history has only what the user may see");

    public Check Faults { get; } = new("faults", "the fault and recover commands end with exit code 0");

    public bool WithFaults { get; init; }

    public IReadOnlyList<Check> Checks =>
    [
        Answered, OnePosition, Complete, Once, Ordered, Gapless, Resumed, Contained, SignalsContained, WellFormed, History, HistoryContained, .. WithFaults ? [Faults] : (Check[])[],
    ];

    public bool Holds => Checks.All(check => check.Holds);
}
