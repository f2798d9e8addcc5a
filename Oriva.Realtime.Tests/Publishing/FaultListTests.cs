using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.Publishing;

public sealed class FaultListTests
{
    [Fact]
    public void NewList_IsEmpty()
    {
        var faults = new FaultList();

        faults.IsEmpty.ShouldBeTrue();
        faults.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData("/type", "/type: Wrong.")]
    [InlineData("", "Wrong.")]
    public void OneFault_KeepsItsCodeAndSaysWhereInItsMessage(string pointer, string message)
    {
        var faults = new FaultList();
        faults.Add(FaultCodes.UnknownType, pointer, "Wrong.");

        var fault = faults.ToFault();

        faults.IsEmpty.ShouldBeFalse();
        fault.Code.ShouldBe(FaultCodes.UnknownType);
        fault.Message.ShouldBe(message);
        fault.Errors.ShouldNotBeNull().ShouldHaveSingleItem().Key.ShouldBe(pointer);
        fault.Errors![pointer].ShouldBe(["Wrong."]);
    }

    [Fact]
    public void FaultsOfOneCode_KeepIt()
    {
        var faults = new FaultList();
        faults.Add(FaultCodes.TooLarge, "/0/data", "Large.");
        faults.Add(FaultCodes.TooLarge, "/1/data", "Large.");

        faults.ToFault().Code.ShouldBe(FaultCodes.TooLarge);
        faults.Count.ShouldBe(2);
    }

    [Fact]
    public void FaultsOfSeveralCodes_BecomeInvalid()
    {
        var faults = new FaultList();
        faults.Add(FaultCodes.TooLarge, "/0/data", "Large.");
        faults.Add(FaultCodes.UnknownType, "/1/type", "Unknown.");

        faults.ToFault().Code.ShouldBe(FaultCodes.Invalid);
        faults.ToFault().Message.ShouldContain("2 faults");
    }

    [Fact]
    public void FaultsAtOnePointer_StandTogetherInOrder()
    {
        var faults = new FaultList();
        faults.Add(FaultCodes.Invalid, "/topic", "First.");
        faults.Add(FaultCodes.Invalid, "/id", "Other.");
        faults.Add(FaultCodes.Invalid, "/topic", "Second.");

        var errors = faults.ToFault().Errors.ShouldNotBeNull();

        errors.Keys.ShouldBe(["/topic", "/id"], ignoreOrder: true);
        errors["/topic"].ShouldBe(["First.", "Second."]);
    }
}
