using System.Text.Json;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class ManifestTests
{
    private static readonly Manifest s_manifest = ManifestReader.Read(
        JsonElement.Parse(
            """
            { "app": "live-mixers", "name": "Live Mixers", "events": { "mix.published": {} },
              "consumes": [ { "app": "hugo-love", "types": ["match.*"] }, { "app": "hugo-love", "types": ["date.agreed"] } ],
              "topics": [ { "pattern": "room-*", "access": "members" }, { "pattern": "lobby", "access": "claim" } ] }
            """),
        "live-mixers").Value!;

    [Theory]
    [InlineData("mix.published", true)]
    [InlineData("session.started", true)]
    [InlineData("notification.created", true)]
    [InlineData("mix.deleted", false)]
    [InlineData("match.made", false)]
    [InlineData("mix", false)]
    public void Type_OwnOrBuiltIn_IsDeclared(string type, bool declared) => s_manifest.Declares(type).ShouldBe(declared);

    [Theory]
    [InlineData("room-1", true)]
    [InlineData("lobby", true)]
    [InlineData("lobby-2", false)]
    [InlineData("room", false)]
    [InlineData("ROOM-1", false)]
    public void Topic_OfAPattern_IsDeclared(string topic, bool declared) => s_manifest.DeclaresTopic(topic).ShouldBe(declared);

    [Theory]
    [InlineData("hugo-love", "match.made", true)]
    [InlineData("hugo-love", "date.agreed", true)]
    [InlineData("hugo-love", "date.cancelled", false)]
    [InlineData("work-buddy", "match.made", false)]
    [InlineData("live-mixers", "mix.published", false)]
    public void Type_OfAnotherApp_IsConsumedWhenItsPatternSaysSo(string app, string type, bool consumed) => s_manifest.ConsumesFrom(app, type).ShouldBe(consumed);
}
