using Oriva.Realtime.Core;

namespace Oriva.Realtime.Tests.Infrastructure;

internal static class Outcomes
{
    /// <summary>The value; a fault fails the test.</summary>
    public static T Required<T>(this Outcome<T> outcome) => outcome.Fault is not { } fault
        ? outcome.Value!
        : throw new ShouldAssertException($"Refused with {fault.Code}: {fault.Message} "
            + string.Join("; ", (fault.Errors ?? new Dictionary<string, string[]>()).Select(error => $"{error.Key}: {string.Join(", ", error.Value)}")));

    /// <summary>The fault, which must have this code; a value fails the test.</summary>
    public static Fault Refused<T>(this Outcome<T> outcome, string code)
    {
        outcome.Fault.ShouldNotBeNull($"nothing was refused: {outcome.Value}");
        outcome.Fault.Code.ShouldBe(code, outcome.Fault.Message);
        return outcome.Fault;
    }
}
