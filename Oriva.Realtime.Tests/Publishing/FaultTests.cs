using System.Reflection;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Tests.Publishing;

public sealed class FaultTests
{
    [Fact]
    public void Value_IsASuccess()
    {
        Outcome<string> outcome = "yes";

        outcome.Value.ShouldBe("yes");
        outcome.Fault.ShouldBeNull();
    }

    [Fact]
    public void Fault_IsAnOutcomeWithoutValue()
    {
        Outcome<string> outcome = Fault.NotFound;

        outcome.Value.ShouldBeNull();
        outcome.Fault.ShouldBeSameAs(Fault.NotFound);
    }

    [Fact]
    public void Outcomes_OfTheSameValue_AreEqual()
    {
        Outcome<string> one = "x", same = "x", other = "y", fault = Fault.NotFound;

        one.ShouldBe(same);
        one.ShouldNotBe(other);
        one.ShouldNotBe(fault);
    }

    [Fact]
    public void InvalidInput_SaysWhereAndWhat()
    {
        var fault = Fault.Invalid("/limit", "Must be 1 to 500.");

        fault.Code.ShouldBe("invalid");
        fault.Message.ShouldBe("Must be 1 to 500.");
        fault.Errors.ShouldNotBeNull()["/limit"].ShouldBe(["Must be 1 to 500."]);
        fault.RetryAfter.ShouldBeNull();
    }

    [Fact]
    public void Unavailable_SaysWhenToRepeat()
    {
        var fault = Fault.Unavailable("Down.");

        fault.Code.ShouldBe("unavailable");
        fault.RetryAfter.ShouldBe(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void ForbiddenApp_NamesTheAppAndHasNoErrors()
    {
        var fault = Fault.AppForbidden("hugo-love");

        fault.Code.ShouldBe("app_forbidden");
        fault.Message.ShouldContain("hugo-love");
        fault.Errors.ShouldBeNull();
    }

    [Fact]
    public void Codes_OfTheContract_AreAllThere()
    {
        string[] contract =
        [
            "malformed", "app_forbidden", "type_forbidden", "topic_forbidden", "user_forbidden", "id_reused", "too_large", "unknown_type",
            "schema_violation", "invalid", "causation_loop", "rate_limited", "unavailable",
        ];

        var codes = typeof(FaultCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string)field.GetRawConstantValue()!).ToList();

        codes.ShouldBeUnique();
        contract.Except(codes).ShouldBeEmpty();
    }
}
