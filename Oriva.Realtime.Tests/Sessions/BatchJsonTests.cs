using System.Text.Json;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class BatchJsonTests
{
    [Fact]
    public void Batch_AsJson_HasTheContractsFields()
    {
        var json = JsonSerializer.SerializeToElement(
            new EventBatch("a1", 2, "a1/users/ada", 4, 6, [TestEvents.Stored(position: 5)]), JsonSerializerOptions.Web);

        json.EnumerateObject().Select(field => field.Name).ShouldBe(["app", "subscription", "stream", "after", "through", "events"], ignoreOrder: true);
        json.GetProperty("after").GetInt64().ShouldBe(4);
        json.GetProperty("through").GetInt64().ShouldBe(6);
        json.GetProperty("events")[0].GetProperty("seq").GetInt64().ShouldBe(5);
    }

    [Fact]
    public void Batch_IsEncodedOnce_HoweverManyConnectionsGetIt()
    {
        var batch = new EventBatch("a1", 2, "a1", 4, 6, []);
        var encodings = 0;
        string Encode(EventBatch encoded) => $"{encoded.Stream} {++encodings}";

        batch.GetOrEncode(Encode).ShouldBe("a1 1");
        batch.GetOrEncode(Encode).ShouldBe("a1 1");
    }

    [Fact]
    public void SubscribeAnswer_AsJson_HasTheContractsFields()
    {
        var answer = new SubscribeAnswer("a1", 1, "e", new Dictionary<string, long> { ["a1"] = 3, ["a1/users/ada"] = 0 }, Reset: false);

        var json = JsonSerializer.SerializeToElement(answer, JsonSerializerOptions.Web);

        json.EnumerateObject().Select(field => field.Name).ShouldBe(["app", "subscription", "epoch", "streams", "reset"], ignoreOrder: true);
        json.GetProperty("streams").GetRawText().ShouldBe("""{"a1":3,"a1/users/ada":0}""");
        answer.Cursor.Epoch.ShouldBe("e");
        answer.Cursor.Streams.ShouldBe(answer.Streams, ignoreOrder: true);
    }

    [Fact]
    public void SubscribeRequest_IsReadFromTheContractsJson()
    {
        var request = JsonSerializer.Deserialize<SubscribeRequest>(
            """
            {"app":"a1","topics":["room-1"],"interests":[{"types":["mix.*"],"topic":"room-2","filters":[{"path":"a.b","op":"in","value":[1]}]}],
             "cursor":{"epoch":"e","streams":{"a1":3}},"from":"start"}
            """,
            JsonSerializerOptions.Web)!;

        (request.App, request.From).ShouldBe(("a1", "start"));
        request.Topics.ShouldBe(["room-1"]);
        request.Cursor!.Streams["a1"].ShouldBe(3);
        var interest = request.Interests!.ShouldHaveSingleItem();
        interest.Types.ShouldBe(["mix.*"]);
        interest.Topic.ShouldBe("room-2");
        var filter = interest.Filters!.ShouldHaveSingleItem();
        (filter.Path, filter.Op, filter.Value.GetRawText()).ShouldBe(("a.b", "in", "[1]"));
    }

    [Fact]
    public void SubscribeRequest_OfTheAppAlone_HasNoRest()
    {
        var request = JsonSerializer.Deserialize<SubscribeRequest>("""{"app":"a1"}""", JsonSerializerOptions.Web)!;

        (request.Topics, request.Interests, request.Cursor, request.From).ShouldBe((null, null, null, null));
    }
}
