using System.Text;
using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class HistoryTests(ApiFixture fixture) : HistorySpecification(fixture), IClassFixture<ApiFixture>;

/// <summary>The same on PostgreSQL, which takes other ways to find and to refuse.</summary>
public sealed class HistoryOnPostgresTests(PostgresHub fixture) : HistorySpecification(fixture), IClassFixture<PostgresHub>;

public abstract class HistorySpecification(HubFixture fixture) : HubTests(fixture)
{
    private readonly string _user = New("user");

    [Fact]
    public async Task Events_ComeNewestFirst_OrOldestFirst()
    {
        await PublishAsync(5);
        (await SearchAsync("")).Select(e => e.Number("seq")).ShouldBe([5, 4, 3, 2, 1]);
        (await SearchAsync("&order=desc")).Select(e => e.Number("seq")).ShouldBe([5, 4, 3, 2, 1]);
        (await SearchAsync("&order=asc")).Select(e => e.Number("seq")).ShouldBe([1, 2, 3, 4, 5]);
    }

    [Theory]
    [InlineData("asc")]
    [InlineData("desc")]
    public async Task Pages_ShowEachEventOnce_AndEnd(string order)
    {
        await PublishAsync(23);
        var (seen, after, pages) = (new List<long>(), "", 0);
        do
        {
            var page = (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}&order={order}&limit=5{after}")).ShouldBe(200);
            page.Names().ShouldBe(["items", "next"]);
            seen.AddRange(page.Items("items").Select(e => e.Number("seq")));
            after = page.At("next").GetString() is { } next ? "&after=" + next : "";
            pages++;
            // A page shows what stood before it was first asked for, whatever is published meanwhile.
            if (pages == 2 && order == "desc")
                await PublishAsync(3);
        }
        while (after.Length > 0);

        pages.ShouldBe(5);
        seen.ShouldBe(order == "asc" ? Enumerable.Range(1, 23).Select(i => (long)i) : Enumerable.Range(1, 23).Select(i => 24L - i));
    }

    [Fact]
    public async Task AFullLastPage_SaysThatItIsTheLast()
    {
        await PublishAsync(4);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}&limit=4")).ShouldBe(200).At("next").ValueKind.ShouldBe(JsonValueKind.Null);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}&limit=3")).ShouldBe(200).At("next").ValueKind.ShouldBe(JsonValueKind.String);
    }

    [Fact]
    public async Task Filters_SelectByTypeTopicSourceAndTime()
    {
        var topic = New("room");
        (await Publisher.PublishAsync(new object[]
        {
            new { source = WorkBuddy, type = "session.started", userId = _user, id = _user + "-a" },
            new { source = WorkBuddy, type = "session.ended", userId = _user, id = _user + "-b" },
            new { source = WorkBuddy, type = "user.updated", userId = _user, id = _user + "-c" },
            new { source = LiveMixers, type = "mix.published", userId = _user, id = _user + "-d", data = new { mixId = "m" } },
            new { source = WorkBuddy, type = "session.started", topic, id = _user + "-e" },
        })).ShouldBe(201);

        (await SearchAsync("&order=asc&type=session.*")).Ids().ShouldBe([_user + "-a", _user + "-b"]);
        (await SearchAsync("&type=session.ended")).Ids().ShouldBe([_user + "-b"]);
        (await SearchAsync("&type=*")).Count.ShouldBe(4);
        (await SearchAsync("&type=session.e*", expect: 422)).ShouldBeEmpty();
        (await SearchAsync("&source=live-mixers")).Ids().ShouldBe([_user + "-d"]);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&topic={topic}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-e"]);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&topic={topic}&userId={_user}")).ShouldBe(200).Items("items").ShouldBeEmpty();
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={LiveMixers}&userId={_user}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-d"]);
    }

    [Fact]
    public async Task FromAndTo_AreAHalfOpenInterval()
    {
        await PublishAsync(1);
        await PublishAsync(1);
        var second = (await SearchAsync(""))[0].Text("recordedAt");
        (await SearchAsync("&from=" + second)).Select(e => e.Number("seq")).ShouldBe([2]);
        (await SearchAsync("&to=" + second)).Select(e => e.Number("seq")).ShouldBe([1]);
        (await SearchAsync("&from=2020-01-01T00:00:00%2B02:00&to=2020-01-02T00:00:00Z")).ShouldBeEmpty();
        (await SearchAsync("&from=2020-01-01T00:00:00+02:00")).Count.ShouldBe(2, "a '+' that was not encoded is understood");
    }

    [Theory]
    [InlineData("", "/app")]
    [InlineData("app=No+App", "/app")]
    [InlineData("app=work-buddy&from=yesterday", "/from")]
    [InlineData("app=work-buddy&from=2026-01-01", "/from")]
    [InlineData("app=work-buddy&to=2026-01-01T00:00:00", "/to")]
    [InlineData("app=work-buddy&from=", "/from")]
    [InlineData("app=work-buddy&order=up", "/order")]
    [InlineData("app=work-buddy&limit=0", "/limit")]
    [InlineData("app=work-buddy&limit=501", "/limit")]
    [InlineData("app=work-buddy&limit=-1", "/limit")]
    [InlineData("app=work-buddy&limit=ten", "/limit")]
    [InlineData("app=work-buddy&limit=99999999999999999999", "/limit")]
    [InlineData("app=work-buddy&type=Session", "/type")]
    [InlineData("app=work-buddy&type=%00", "/type")]
    [InlineData("app=work-buddy&userId=a/b", "/userId")]
    [InlineData("app=work-buddy&userId=%00", "/userId")]
    [InlineData("app=work-buddy&topic=a/b", "/topic")]
    [InlineData("app=work-buddy&topic=%00", "/topic")]
    [InlineData("app=work-buddy&source=Not+An+App", "/source")]
    [InlineData("app=work-buddy&source=%00", "/source")]
    [InlineData("app=work-buddy&after=nonsense", "/after")]
    [InlineData("app=work-buddy&after=%00", "/after")]
    [InlineData("app=work-buddy&after=e30", "/after")]
    public async Task ABadParameter_IsRefusedByName(string query, string pointer) =>
        (await Publisher.GetAsync($"{ApiCaller.Events}?{query}")).ShouldBeProblem(422, "invalid", pointer);

    [Theory]
    [InlineData("""{"RecordedAt":"2026-01-01T00:00:00+02:00","Stream":"work-buddy","Position":1}""")]
    [InlineData("""{"RecordedAt":"0001-01-01T00:00:00+00:00","Stream":"work-buddy","Position":-1}""")]
    [InlineData("""{"RecordedAt":"9999-12-31T23:59:59.9999999+00:00","Stream":"\u0000","Position":9223372036854775807}""")]
    [InlineData("""{"RecordedAt":"2026-01-01T00:00:00Z","Stream":"\ud800","Position":1}""")]
    [InlineData("""{"RecordedAt":"2026-01-01T00:00:00Z","Stream":1,"Position":"x"}""")]
    [InlineData("[]")]
    public async Task AForgedPage_IsAPageOrRefused_NeverAFailure(string keyset)
    {
        foreach (var order in new[] { "asc", "desc" })
        {
            var answer = await Publisher.GetAsync(
                $"{ApiCaller.Events}?app={WorkBuddy}&order={order}&after={Convert.ToBase64String(Encoding.UTF8.GetBytes(keyset)).TrimEnd('=').Replace('+', '-').Replace('/', '_')}");
            if (answer.Status != 200)
                answer.ShouldBeProblem(422, "invalid", "/after");
        }
    }

    private async Task PublishAsync(int count) =>
        (await Publisher.PublishAsync(Enumerable.Range(0, count).Select(_ => Draft(_user)).ToArray())).ShouldBe(201);

    private async Task<IReadOnlyList<JsonElement>> SearchAsync(string query, int expect = 200)
    {
        var answer = await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}{query}");
        answer.ShouldBe(expect);
        return expect == 200 ? answer.Json.Items("items") : [];
    }
}
