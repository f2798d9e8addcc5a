using System.Text.Json;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class NewEventTests
{
    [Fact]
    public void Event_ThroughTheOutboxsJson_ComesBackWhole()
    {
        var e = TestEvents.New("a1", "1", userId: "日本", data: """{"a": 1.0}""", copyTo: ["b1", "c1"]) with { ContentHash = [1, 2, 255], Hops = 3, Metadata = """{"k":"v"}""" };

        var back = JsonSerializer.Deserialize<NewEvent>(JsonSerializer.Serialize(e)).ShouldNotBeNull();

        (back.Id, back.Source, back.Type, back.UserId, back.Topic, back.Actor).ShouldBe((e.Id, e.Source, e.Type, e.UserId, e.Topic, e.Actor));
        (back.Time, back.Data, back.Metadata, back.Hops, back.IdIsFresh).ShouldBe((e.Time, e.Data, e.Metadata, e.Hops, e.IdIsFresh));
        back.ContentHash.ShouldBe(e.ContentHash);
        back.CopyTo.ShouldBe(e.CopyTo);
    }

    [Fact]
    public void Key_IsTheIdWithinItsSource()
    {
        TestEvents.New("a1", "1").Key.ShouldBe(TestEvents.New("a1", "1", userId: "ada").Key);
        TestEvents.New("a1", "1").Key.ShouldNotBe(TestEvents.New("b1", "1").Key);
        TestEvents.New("a1", "1").Key.ShouldNotBe(TestEvents.New("a1", "2").Key);
    }

    [Fact]
    public async Task Request_AnsweredTwice_KeepsItsFirstAnswer()
    {
        var request = new AppendRequest("a1", [TestEvents.New("a1", "1"), TestEvents.New("a1", "2")]);
        request.Completion.IsCompleted.ShouldBeFalse();

        request.Complete(new List<Receipt>());
        request.Complete(Fault.Unavailable("Late."));

        (await request.Completion).Fault.ShouldBeNull();
        request.EventIds.ShouldBe(["1", "2"]);
    }

    [Fact]
    public void RequestsBytes_GrowWithDataAndMetadata()
    {
        var small = new AppendRequest("a1", [TestEvents.New("a1", "1")]);
        var large = new AppendRequest("a1", [TestEvents.New("a1", "1", data: $$"""{"a":"{{new string('x', 1_000)}}"}""") with { Metadata = new string('m', 500) }]);

        large.Bytes.ShouldBeGreaterThanOrEqualTo(small.Bytes + 1_500);
    }

    [Fact]
    public void RequestsBytes_AreBytesAndNotCharacters()
    {
        // MaxGroupBytes bounds what goes to the store, where '日' takes three.
        var request = new AppendRequest("a1", [TestEvents.New("a1", "1", data: $$"""{"a":"{{new string('日', 1_000)}}"}""")]);

        request.Bytes.ShouldBeGreaterThanOrEqualTo(3_000);
    }
}
