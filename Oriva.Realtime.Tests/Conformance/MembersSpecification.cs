using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteMembersTests(SqliteFixture fixture) : MembersSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresMembersTests(PostgresFixture fixture) : MembersSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Users who come with a token become members, many at once; who has left stays out.</summary>
public abstract class MembersSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    [Fact]
    public async Task Entrants_BecomeMembers_WithWhatTheirTokensSay()
    {
        var app = await Node.AddAppAsync();

        (await EnterAsync(new(app, "ada", "ada@example.org", "de"), new(app, "eve", null, null))).Values.ShouldBe([true, true]);
        (await EnterAsync(new Entrant(app, "ada", "other@example.org", "en"))).Values.ShouldBe([true]);

        var ada = (await Node.Directory.FindAsync(Scopes.Whole(app), app, "ada", Cancel)).ShouldNotBeNull();
        (ada.Email, ada.Locale, ada.LeftAt).ShouldBe(("ada@example.org", "de", null));
        (await Node.Directory.FindAsync(Scopes.Whole(app), app, "eve", Cancel)).ShouldNotBeNull().Email.ShouldBeNull();
    }

    [Fact]
    public async Task WhoHasLeft_StaysOut()
    {
        var app = await Node.AddAppAsync();
        var (ada, eve) = (new Entrant(app, "ada", null, null), new Entrant(app, "eve", null, null));
        await EnterAsync(ada, eve);
        (await Node.Directory.RemoveAsync(app, "ada", Cancel)).ShouldBeTrue();

        var members = await EnterAsync(ada, eve, new Entrant(app, "new", null, null));

        (members[ada], members[eve]).ShouldBe((false, true));
        members.Count.ShouldBe(3);
    }

    [Fact]
    public async Task TheSameUsersAtOnce_AreAddedOnce()
    {
        var app = await Node.AddAppAsync();
        Entrant[] users = [.. Enumerable.Range(0, 50).Select(i => new Entrant(app, $"user-{i}", null, null))];
        // Two tokens of one user, which say different things.
        Entrant[] twice = [.. users, .. users.Select(user => user with { Locale = "de" })];

        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => EnterAsync(i % 2 == 0 ? twice : [.. twice.Reverse()])));

        all.ShouldAllBe(members => members.Count == 100 && members.Values.All(member => member));
    }

    private Task<IReadOnlyDictionary<Entrant, bool>> EnterAsync(params Entrant[] entrants) => Node.Store.EnterAsync(entrants, TimeProvider.System.GetUtcNow(), Cancel);
}
