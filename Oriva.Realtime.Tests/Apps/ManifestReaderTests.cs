using System.Text.Json;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class ManifestReaderTests
{
    [Fact]
    public void GoodManifest_IsReadWhole()
    {
        var manifest = Read(
            """
            { "app": "live-mixers", "name": "Live Mixers",
              "events": {
                "mix.published": { "title": "Mix published", "schema": { "type": "object", "required": ["mixId"] },
                                   "publishableBy": ["publishers"], "sharedWith": ["work-buddy", "hugo-love"] },
                "chat.message_sent": { "publishableBy": ["publishers", "users"] },
                "room.opened": {},
                "user.profile_changed": { "sharedWith": ["hugo-love"] } },
              "consumes": [ { "app": "hugo-love", "types": ["match.*", "date.agreed"] }, { "app": "work-buddy", "types": ["*"] } ],
              "topics": [ { "pattern": "room-*", "access": "members" }, { "pattern": "vip-*", "access": "claim" } ],
              "notifications": [
                { "name": "new-mix", "on": "mix.published", "to": "members", "title": "{{ data.title }} is out", "body": "By {{ data.artist }}",
                  "link": "/mixes/{{ data.mixId }}", "channels": ["in_app", "websocket", "push", "email"], "required": true,
                  "unlessAckedWithin": 120, "locales": { "de": { "title": "{{ data.title }} ist da" }, "fr": { "body": "De {{ data.artist }}" } } },
                { "name": "bare", "on": "match.made", "title": "Match" } ] }
            """);

        manifest.App.ShouldBe("live-mixers");
        manifest.Name.ShouldBe("Live Mixers");

        manifest.Events.Keys.Order().ShouldBe(["chat.message_sent", "mix.published", "room.opened", "user.profile_changed"]);
        var mix = manifest.Events["mix.published"];
        mix.Type.ShouldBe("mix.published");
        mix.Title.ShouldBe("Mix published");
        mix.OpenToUsers.ShouldBeFalse();
        mix.SharedWith.Order().ShouldBe(["hugo-love", "work-buddy"]);
        mix.SchemaText.ShouldBe("""{ "type": "object", "required": ["mixId"] }""");
        mix.Schema!.Evaluate(JsonElement.Parse("""{"mixId":"1"}""")).IsValid.ShouldBeTrue();
        mix.Schema!.Evaluate(JsonElement.Parse("{}")).IsValid.ShouldBeFalse();
        manifest.Events["chat.message_sent"].OpenToUsers.ShouldBeTrue();
        var room = manifest.Events["room.opened"];
        (room.Title, room.Schema, room.SchemaText, room.OpenToUsers, room.SharedWith.Count).ShouldBe((null, null, null, false, 0));

        manifest.Consumes.Select(c => (c.App, Types: string.Join(' ', c.Types))).ShouldBe([("hugo-love", "match.* date.agreed"), ("work-buddy", "*")]);
        manifest.Topics.Select(t => (t.Pattern.Text, t.NeedsClaim)).ShouldBe([("room-*", false), ("vip-*", true)]);

        var rule = manifest.Notifications[0];
        (rule.Name, rule.On, rule.To).ShouldBe(("new-mix", "mix.published", "members"));
        (rule.Title.Text, rule.Body!.Text, rule.Link!.Text).ShouldBe(("{{ data.title }} is out", "By {{ data.artist }}", "/mixes/{{ data.mixId }}"));
        rule.Channels.ShouldBe(["in_app", "websocket", "push", "email"]);
        rule.Required.ShouldBeTrue();
        rule.UnlessAckedWithin.ShouldBe(TimeSpan.FromMinutes(2));
        rule.Locales["DE"].ShouldBe(new LocalizedText(Liquid("{{ data.title }} ist da"), null));
        rule.Locales["fr"].ShouldBe(new LocalizedText(null, Liquid("De {{ data.artist }}")));
        var bare = manifest.Notifications[1];
        (bare.Body, bare.Link, bare.To, bare.Required, bare.UnlessAckedWithin).ShouldBe((null, null, null, false, null));
        bare.Channels.ShouldBeEmpty();
        bare.Locales.ShouldBeEmpty();
    }

    private static LiquidTemplate Liquid(string text) => LiquidTemplate.Parse(text, out _)!;

    [Fact]
    public void ManifestOfNameAlone_IsEnough()
    {
        var manifest = Read("""{ "app": "live-mixers", "name": "Live Mixers" }""");

        manifest.Events.ShouldBeEmpty();
        manifest.Consumes.ShouldBeEmpty();
        manifest.Topics.ShouldBeEmpty();
        manifest.Notifications.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"manifest\"")]
    [InlineData("1")]
    [InlineData("true")]
    public void Manifest_ThatIsNoObject_IsOneFault(string json) => Faults(json).ShouldBe([": must be an object"]);

    [Theory]
    // Top level
    [InlineData("""{"name":"N"}""", "/app: is required")]
    [InlineData("""{"app":"other-app","name":"N"}""", "/app: must be 'live-mixers'")]
    [InlineData("""{"app":"Live-Mixers","name":"N"}""", "/app: must be 'live-mixers'")]
    [InlineData("""{"app":1,"name":"N"}""", "/app: must be a text")]
    [InlineData("""{"app":"","name":"N"}""", "/app: must be a text")]
    [InlineData("""{"app":null,"name":"N"}""", "/app: must be a text")]
    [InlineData("""{"app":"live-mixers"}""", "/name: is required")]
    [InlineData("""{"app":"live-mixers","name":"  "}""", "/name: must be a text")]
    [InlineData("""{"app":"live-mixers","name":["N"]}""", "/name: must be a text")]
    [InlineData("""{"app":"live-mixers","name":"N","url":"mixers.example"}""", "/url: must be a web address such as https://mixers.example, without query and fragment")]
    [InlineData("""{"app":"live-mixers","name":"N","email":{"from":"nobody"}}""", "/email/from: must be an address such as news@mixers.example, or Live Mixers <news@mixers.example>")]
    [InlineData("""{"app":"live-mixers","name":"N","version":1}""", "/version: is not a known property; known are app, name, url, email, events, consumes, topics, notifications")]
    [InlineData("""{"app":"live-mixers","name":"N","Events":{}}""", "/Events: is not a known property; known are app, name, url, email, events, consumes, topics, notifications")]
    [InlineData("""{"app":"live-mixers","name":"N","a/b~c":1}""", "/a~1b~0c: is not a known property; known are app, name, url, email, events, consumes, topics, notifications")]
    [InlineData("""{"app":"live-mixers","name":"N","events":[]}""", "/events: must be an object")]
    [InlineData("""{"app":"live-mixers","name":"N","events":null}""", "/events: must be an object")]
    [InlineData("""{"app":"live-mixers","name":"N","consumes":{}}""", "/consumes: must be an array")]
    [InlineData("""{"app":"live-mixers","name":"N","topics":"room-*"}""", "/topics: must be an array")]
    [InlineData("""{"app":"live-mixers","name":"N","notifications":false}""", "/notifications: must be an array")]
    public void Manifest_WithAFaultAtTheTop_IsRefusedWithItsPointer(string json, string fault) => Faults(json).ShouldBe([fault]);

    [Theory]
    [InlineData("""{"Mix.Published":{}}""", "/events/Mix.Published: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"mix.*":{}}""", "/events/mix.*: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"":{}}""", "/events/: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"a/b":{}}""", "/events/a~1b: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"a~b":{}}""", "/events/a~0b: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"a~1b":{}}""", "/events/a~01b: is not an event type: lower-case words joined by dots")]
    [InlineData("""{"notification.created":{}}""", "/events/notification.created: is published by the service alone")]
    [InlineData("""{"notification.read":{}}""", "/events/notification.read: is published by the service alone")]
    [InlineData("""{"notification.updated":{}}""", "/events/notification.updated: is published by the service alone")]
    [InlineData("""{"mix.published":true}""", "/events/mix.published: must be an object")]
    [InlineData("""{"mix.published":null}""", "/events/mix.published: must be an object")]
    [InlineData("""{"mix.published":{"kind":"x"}}""", "/events/mix.published/kind: is not a known property; known are title, schema, publishableBy, sharedWith")]
    [InlineData("""{"mix.published":{"title":5}}""", "/events/mix.published/title: must be a text")]
    [InlineData("""{"mix.published":{"publishableBy":"users"}}""", "/events/mix.published/publishableBy: must be an array")]
    [InlineData("""{"mix.published":{"publishableBy":["publishers","everyone"]}}""", "/events/mix.published/publishableBy/1: must be one of publishers, users")]
    [InlineData("""{"mix.published":{"publishableBy":[7]}}""", "/events/mix.published/publishableBy/0: must be a text")]
    [InlineData("""{"mix.published":{"sharedWith":"hugo-love"}}""", "/events/mix.published/sharedWith: must be an array")]
    [InlineData("""{"mix.published":{"sharedWith":["hugo-love","Hugo Love"]}}""", "/events/mix.published/sharedWith/1: is not an app id")]
    [InlineData("""{"mix.published":{"sharedWith":["*"]}}""", "/events/mix.published/sharedWith/0: is not an app id")]
    [InlineData("""{"mix.published":{"sharedWith":["live-mixers"]}}""", "/events/mix.published/sharedWith/0: an app does not share with itself")]
    [InlineData("""{"user.created":{"schema":{}}}""", "/events/user.created/schema: a built-in type keeps its own schema")]
    public void EventType_WithAFault_IsRefusedWithItsPointer(string events, string fault) => FaultsWith("events", events).ShouldBe([fault]);

    [Theory]
    [InlineData("true", "/events/x.y/schema: must be a JSON Schema object")]
    [InlineData("null", "/events/x.y/schema: must be a JSON Schema object")]
    [InlineData("[]", "/events/x.y/schema: must be a JSON Schema object")]
    [InlineData("\"object\"", "/events/x.y/schema: must be a JSON Schema object")]
    [InlineData("""{"$ref":"https://example.com/mix.json"}""", "/events/x.y/schema: refers to 'https://example.com/mix.json'; only references inside the schema are followed")]
    [InlineData("""{"$ref":"mix.json"}""", "/events/x.y/schema: refers to 'mix.json'; only references inside the schema are followed")]
    [InlineData("""{"$ref":"file:///etc/passwd"}""", "/events/x.y/schema: refers to 'file:///etc/passwd'; only references inside the schema are followed")]
    [InlineData("""{"$dynamicRef":"https://example.com/d"}""", "/events/x.y/schema: refers to 'https://example.com/d'; only references inside the schema are followed")]
    [InlineData("""{"properties":{"a":{"items":{"$ref":"https://a.b/c#/d"}}}}""", "/events/x.y/schema: refers to 'https://a.b/c#/d'; only references inside the schema are followed")]
    [InlineData("""{"anyOf":[{"type":"object"},{"$ref":"//a.b/c"}]}""", "/events/x.y/schema: refers to '//a.b/c'; only references inside the schema are followed")]
    public void Schema_ThatCannotBeUsed_IsRefusedWithItsPointer(string schema, string fault) => FaultsWithSchema(schema).ShouldBe([fault]);

    [Theory]
    [InlineData("""{"type":"strin"}""", "/events/x.y/schema/type")]
    [InlineData("""{"minLength":-1}""", "/events/x.y/schema/minLength")]
    [InlineData("""{"required":"mixId"}""", "/events/x.y/schema/required")]
    [InlineData("""{"required":["a","a"]}""", "/events/x.y/schema/required")]
    [InlineData("""{"properties":{"a":{"type":"nope"}}}""", "/events/x.y/schema/properties/a/type")]
    [InlineData("""{"properties":{"a~b/c":{"type":"nope"}}}""", "/events/x.y/schema/properties/a~0b~1c/type")]
    [InlineData("""{"properties":{"a":{"pattern":"("}}}""", "/events/x.y/schema")]
    [InlineData("""{"patternProperties":{"(":{}}}""", "/events/x.y/schema")]
    [InlineData("""{"$schema":"https://example.com/unknown-dialect"}""", "/events/x.y/schema")]
    [InlineData("""{"$ref":"#"}""", "/events/x.y/schema")]
    public void Schema_ThatIsNone_IsRefusedWhereItIsWrong(string schema, string pointer)
    {
        var faults = FaultsWithSchema(schema);

        faults.ShouldNotBeEmpty();
        faults.ShouldAllBe(fault => fault.StartsWith(pointer + ": ", StringComparison.Ordinal) && fault.Length > pointer.Length + 2);
    }

    [Theory]
    [InlineData("""{"$ref":"#/$defs/missing"}""")]
    [InlineData("""{"$ref":"#nowhere"}""")]
    [InlineData("""{"properties":{"a":{"$ref":"#/$defs/missing"}}}""")]
    public void Schema_WhoseReferenceLeadsNowhere_IsRefused(string schema)
    {
        // Accepted, it would fail each publish of its type with an exception instead of a fault.
        FaultsWithSchema(schema).ShouldHaveSingleItem().ShouldStartWith("/events/x.y/schema");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"type":"object","properties":{"id":{"$ref":"#/$defs/id"}},"$defs":{"id":{"type":"string"}}}""")]
    [InlineData("""{"properties":{"child":{"$ref":"#"}}}""")]
    [InlineData("""{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}""")]
    [InlineData("""{"$id":"https://example.com/mix","type":"object"}""")]
    [InlineData("""{"properties":{"$ref":{"type":"string"}}}""")]
    public void Schema_WithReferencesInsideIt_IsAccepted(string schema)
    {
        var declared = ReadWith("events", $$$"""{"x.y":{"schema":{{{schema}}}}}""").Events["x.y"];

        declared.SchemaText.ShouldBe(schema);
        declared.Schema!.Evaluate(JsonElement.Parse("""{"id":"1","child":{}}""")).IsValid.ShouldBeTrue();
    }

    [Fact]
    public void TwoSchemas_OfTheSameId_StandSideBySide()
    {
        const string Id = "https://example.com/shared";

        var manifest = ReadWith("events", $$$$"""{"a.b":{"schema":{"$id":"{{{{Id}}}}","required":["a"]}},"c.d":{"schema":{"$id":"{{{{Id}}}}","required":["c"]}}}""");

        var data = JsonElement.Parse("""{"c":1}""");
        manifest.Events["a.b"].Schema!.Evaluate(data).IsValid.ShouldBeFalse();
        manifest.Events["c.d"].Schema!.Evaluate(data).IsValid.ShouldBeTrue();
    }

    [Theory]
    [InlineData("""["hugo-love"]""", "/consumes/0: must be an object")]
    [InlineData("""[{"types":["a.b"]}]""", "/consumes/0/app: is required")]
    [InlineData("""[{"app":"Hugo","types":["a.b"]}]""", "/consumes/0/app: is not an app id")]
    [InlineData("""[{"app":7,"types":["a.b"]}]""", "/consumes/0/app: must be a text")]
    [InlineData("""[{"app":"live-mixers","types":["a.b"]}]""", "/consumes/0/app: an app has its own events already")]
    [InlineData("""[{"app":"hugo-love"}]""", "/consumes/0/types: at least one type or pattern is required")]
    [InlineData("""[{"app":"hugo-love","types":[]}]""", "/consumes/0/types: at least one type or pattern is required")]
    [InlineData("""[{"app":"hugo-love","types":["a.b"]},{"app":"work-buddy","types":["a.b","*.c"]}]""", "/consumes/1/types/1: is not a type, a prefix and '.*', or '*'")]
    [InlineData("""[{"app":"hugo-love","types":["match*"]}]""", "/consumes/0/types/0: is not a type, a prefix and '.*', or '*'")]
    [InlineData("""[{"app":"hugo-love","types":["a.b"],"as":"x"}]""", "/consumes/0/as: is not a known property; known are app, types")]
    public void Consumption_WithAFault_IsRefusedWithItsPointer(string consumes, string fault) => FaultsWith("consumes", consumes).ShouldBe([fault]);

    [Theory]
    [InlineData("""["room-*"]""", "/topics/0: must be an object")]
    [InlineData("""[{"access":"members"}]""", "/topics/0/pattern: is required")]
    [InlineData("""[{"pattern":"room-*"}]""", "/topics/0/access: is required")]
    [InlineData("""[{"pattern":"room-*","access":"everyone"}]""", "/topics/0/access: must be 'members' or 'claim'")]
    [InlineData("""[{"pattern":"room-*","access":1}]""", "/topics/0/access: must be a text")]
    [InlineData("""[{"pattern":"room-**","access":"members"}]""", "/topics/0/pattern: is not a topic, or a prefix and '*'")]
    [InlineData("""[{"pattern":"a/b","access":"members"}]""", "/topics/0/pattern: is not a topic, or a prefix and '*'")]
    [InlineData("""[{"pattern":"","access":"members"}]""", "/topics/0/pattern: must be a text")]
    [InlineData("""[{"pattern":"room-*","access":"members","title":"x"}]""", "/topics/0/title: is not a known property; known are pattern, access")]
    [InlineData("""[{"pattern":"room-*","access":"members"},{"pattern":"room-vip-*","access":"claim"}]""", "/topics/1/pattern: overlaps 'room-*'; each topic must have one access rule")]
    [InlineData("""[{"pattern":"room-vip-*","access":"claim"},{"pattern":"room-*","access":"members"}]""", "/topics/1/pattern: overlaps 'room-vip-*'; each topic must have one access rule")]
    [InlineData("""[{"pattern":"a","access":"claim"},{"pattern":"*","access":"members"}]""", "/topics/1/pattern: overlaps 'a'; each topic must have one access rule")]
    [InlineData("""[{"pattern":"room-1","access":"members"},{"pattern":"room-1","access":"members"}]""", "/topics/1/pattern: overlaps 'room-1'; each topic must have one access rule")]
    [InlineData("""[{"pattern":"a-*","access":"members"},{"pattern":"b-*","access":"members"},{"pattern":"b-1","access":"claim"}]""", "/topics/2/pattern: overlaps 'b-*'; each topic must have one access rule")]
    public void Topic_WithAFault_IsRefusedWithItsPointer(string topics, string fault) => FaultsWith("topics", topics).ShouldBe([fault]);

    [Fact]
    public void Topics_ThatOnlyShareLetters_DoNotOverlap() =>
        ReadWith("topics", """[{"pattern":"room-*","access":"members"},{"pattern":"room","access":"claim"},{"pattern":"rooms-*","access":"claim"},{"pattern":"Room-*","access":"claim"}]""")
            .Topics.Count.ShouldBe(4);

    [Theory]
    [InlineData("[1]", "/notifications/0: must be an object")]
    [InlineData("""[{"on":"user.created","title":"T"}]""", "/notifications/0/name: is required")]
    [InlineData("""[{"name":"n","title":"T"}]""", "/notifications/0/on: is required")]
    [InlineData("""[{"name":"n","on":"user.created"}]""", "/notifications/0/title: is required")]
    [InlineData("""[{"name":"n","on":"user.created","title":""}]""", "/notifications/0/title: must be a text")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","body":1}]""", "/notifications/0/body: must be a text")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","link":{}}]""", "/notifications/0/link: must be a text")]
    [InlineData("""[{"name":"n","on":"mix.deleted","title":"T"}]""", "/notifications/0/on: 'mix.deleted' is neither declared, nor built in, nor consumed")]
    [InlineData("""[{"name":"n","on":"user.*","title":"T"}]""", "/notifications/0/on: is not an event type: lower-case words joined by dots")]
    [InlineData("""[{"name":"n","on":"notification.created","title":"T"}]""", "/notifications/0/on: a notification about a notification would never end")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","to":"all"}]""", "/notifications/0/to: must be 'user', 'followers' or 'members'")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","to":["user"]}]""", "/notifications/0/to: must be a text")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","channels":["in_app","sms"]}]""", "/notifications/0/channels/1: must be one of in_app, websocket, push, email, webhook")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","channels":"push"}]""", "/notifications/0/channels: must be an array")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","required":"yes"}]""", "/notifications/0/required: must be true or false")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","required":null}]""", "/notifications/0/required: must be true or false")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":0}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":86401}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":-5}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":1.5}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":1e99}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":"60"}]""", "/notifications/0/unlessAckedWithin: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","locales":["de"]}]""", "/notifications/0/locales: must be an object")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","locales":{"de":"Titel"}}]""", "/notifications/0/locales/de: must be an object")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","locales":{"de":{"title":1}}}]""", "/notifications/0/locales/de/title: must be a text")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","locales":{"d/e~":{"link":"x"}}}]""", "/notifications/0/locales/d~1e~0/link: is not a known property; known are title, body")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","digest":{}}]""", "/notifications/0/digest/window: is required")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","digest":{"window":0}}]""", "/notifications/0/digest/window: must be a whole number of seconds, 1 to 86400")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","digest":{"window":60,"max":101}}]""", "/notifications/0/digest/max: must be a whole number, 1 to 100")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","throttle":{"per":60}}]""", "/notifications/0/throttle/count: is required")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","throttle":{"count":1,"per":60,"each":1}}]""", "/notifications/0/throttle/each: is not a known property; known are count, per, key")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","email":{"subject":7}}]""", "/notifications/0/email/subject: must be a text")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T","sound":"ping"}]""", "/notifications/0/sound: is not a known property; known are name, on, title, body, link, image, actions, channels, to, required, unlessAckedWithin, locales, email, digest, throttle")]
    [InlineData("""[{"name":"n","on":"user.created","title":"T"},{"name":"n","on":"user.updated","title":"T"}]""", "/notifications/1/name: 'n' names another rule already")]
    public void Rule_WithAFault_IsRefusedWithItsPointer(string rules, string fault) => FaultsWith("notifications", rules).ShouldBe([fault]);

    [Fact]
    public void TwoRulesWithoutNames_AreNotSaidToShareOne() =>
        FaultsWith("notifications", """[{"on":"user.created","title":"T"},{"on":"user.created","title":"T"}]""")
            .ShouldBe(["/notifications/0/name: is required", "/notifications/1/name: is required"]);

    [Theory]
    [InlineData(1)]
    [InlineData(86_400)]
    public void HoldingBack_AtItsBounds_IsAccepted(int seconds) =>
        ReadWith("notifications", $$"""[{"name":"n","on":"user.created","title":"T","unlessAckedWithin":{{seconds}}}]""")
            .Notifications[0].UnlessAckedWithin.ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData("match.made")]
    [InlineData("date.agreed")]
    [InlineData("own.type")]
    [InlineData("session.registered")]
    public void Rule_OnWhatIsDeclaredBuiltInOrConsumed_IsAccepted(string on) =>
        Read($$"""
            { "app": "live-mixers", "name": "N", "events": { "own.type": {} },
              "consumes": [ { "app": "hugo-love", "types": ["match.*", "date.agreed"] } ],
              "notifications": [ { "name": "n", "on": "{{on}}", "title": "T" } ] }
            """).Notifications[0].On.ShouldBe(on);

    [Fact]
    public void ManifestWithManyFaults_ListsThemAllAtOnce()
    {
        var faults = Faults(
            """
            { "app": "other", "colour": "red",
              "events": { "Bad": {}, "notification.read": { "schema": 1 }, "ok.type": { "publishableBy": ["robots", 3], "sharedWith": ["live-mixers", "X"] } },
              "consumes": [ { "app": "live-mixers", "types": ["?"] }, 5 ],
              "topics": [ { "pattern": "a-*", "access": "x" }, { "pattern": "a-b" } ],
              "notifications": [ { "name": "n", "on": "no.such", "to": "x", "channels": ["sms"], "required": 1, "unlessAckedWithin": 0, "locales": { "de": 1 } } ] }
            """);

        faults.Select(fault => fault[..fault.IndexOf(':', StringComparison.Ordinal)]).Distinct().ShouldBe(
            [
                "/app", "/colour", "/consumes/0/app", "/consumes/0/types/0", "/consumes/1", "/events/Bad", "/events/notification.read",
                "/events/notification.read/schema", "/events/ok.type/publishableBy/0", "/events/ok.type/publishableBy/1", "/events/ok.type/sharedWith/0",
                "/events/ok.type/sharedWith/1", "/name", "/notifications/0/channels/0", "/notifications/0/locales/de", "/notifications/0/on",
                "/notifications/0/required", "/notifications/0/title", "/notifications/0/to", "/notifications/0/unlessAckedWithin", "/topics/0/access",
                "/topics/1/access", "/topics/1/pattern",
            ],
            ignoreOrder: true);
        // Two faults at one place are both said.
        faults.ShouldContain("/events/notification.read/schema: a built-in type keeps its own schema");
        faults.ShouldContain("/events/notification.read/schema: must be a JSON Schema object");
    }

    [Fact]
    public void FaultyManifest_HasTheCodeInvalidAndNoValue()
    {
        var outcome = ManifestReader.Read(JsonElement.Parse("{}"), "live-mixers");

        outcome.Value.ShouldBeNull();
        outcome.Fault!.Code.ShouldBe(FaultCodes.Invalid);
        outcome.Fault.Message.ShouldNotBeNullOrWhiteSpace();
    }

    [Theory]
    [InlineData("""{"app":"live-mixers","name":"\ud800"}""")]
    [InlineData("""{"app":"live-mixers","name":"a\u0000b"}""")]
    [InlineData("""{"app":"live-mixers","name":"N","\ud800":1}""")]
    [InlineData("""{"app":"live-mixers","name":"N","events":{"\udc00":{}}}""")]
    [InlineData("""{"app":"live-mixers","name":"N","events":{"a.b":{"title":"\ud800"}}}""")]
    [InlineData("""{"app":"live-mixers","name":"N","events":{"a.b":{"sharedWith":["\ud800"]}}}""")]
    [InlineData("""{"app":"live-mixers","name":"N","notifications":[{"name":"n","on":"user.created","title":"T","locales":{"\ud800":{}}}]}""")]
    public void TextThatNoStoreKeeps_IsAFaultAndNoException(string json) => Faults(json).ShouldNotBeEmpty();

    [Theory]
    [InlineData("hugo-love")]
    [InlineData("live-mixers")]
    [InlineData("work-buddy")]
    public void ShippedManifest_HasNoFault(string app)
    {
        var json = JsonElement.Parse(File.ReadAllText(Path.Combine(FindManifests(), app + ".json")));

        Flatten(ManifestReader.Read(json, app).Fault).ShouldBeEmpty();
    }

    [Fact]
    public void ShippedManifests_AreAllTested() =>
        Directory.EnumerateFiles(FindManifests(), "*.json").Select(Path.GetFileNameWithoutExtension).Order().ShouldBe(["hugo-love", "live-mixers", "work-buddy"]);

    private static string FindManifests()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Oriva.Realtime.sln")))
                return Path.Combine(folder.FullName, "Oriva.Realtime.Hub", "manifests");
        }

        throw new DirectoryNotFoundException($"No Oriva.Realtime.sln above {AppContext.BaseDirectory}");
    }

    private static Manifest Read(string json)
    {
        var outcome = ManifestReader.Read(JsonElement.Parse(json), "live-mixers");
        Flatten(outcome.Fault).ShouldBeEmpty();
        return outcome.Value!;
    }

    private static Manifest ReadWith(string section, string json) => Read($$"""{"app":"live-mixers","name":"N","{{section}}":{{json}}}""");

    private static List<string> Faults(string json) => Flatten(ManifestReader.Read(JsonElement.Parse(json), "live-mixers").Fault);

    private static List<string> FaultsWith(string section, string json) => Faults($$"""{"app":"live-mixers","name":"N","{{section}}":{{json}}}""");

    private static List<string> FaultsWithSchema(string schema) => FaultsWith("events", $$$"""{"x.y":{"schema":{{{schema}}}}}""");

    private static List<string> Flatten(Fault? fault) =>
        fault?.Errors is { } errors ? [.. errors.SelectMany(at => at.Value.Select(message => $"{at.Key}: {message}"))] : [];
}
