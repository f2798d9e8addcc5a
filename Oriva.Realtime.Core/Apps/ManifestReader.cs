using System.Collections.Frozen;
using System.Text.Json;
using Json.Schema;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>
/// Reads a manifest and collects every fault with its JSON pointer, so that an author mends a file in one go.
/// One instance reads one manifest.
/// </summary>
public sealed class ManifestReader
{
    private static readonly string[] s_audiences = [NotificationRule.ToUser, NotificationRule.ToFollowers, NotificationRule.ToMembers];
    private static readonly string[] s_publishers = ["publishers", "users"];
    private static readonly string[] s_access = ["members", "claim"];

    private const int MostActions = 3;
    private const int MaxDigest = 100;
    private const int MaxThrottle = 10_000;

    private readonly SortedDictionary<string, List<string>> _errors = new(StringComparer.Ordinal);

    private ManifestReader()
    {
    }

    /// <param name="json">The manifest.</param>
    /// <param name="app">The app that the route or file name says it is of.</param>
    public static Outcome<Manifest> Read(JsonElement json, string app)
    {
        if (JsonText.FindUnstorable(json, "") is { } unstorable)
            return Fault.Invalid(unstorable, "Texts and names must not contain \\u0000 or half of a surrogate pair.");
        var reader = new ManifestReader();
        var manifest = reader.ReadManifest(json, app);
        if (reader._errors.Count == 0)
            return manifest!;
        return new Fault(FaultCodes.Invalid, "The manifest is refused as a whole; every fault is listed with its JSON pointer.",
            reader._errors.ToDictionary(entry => entry.Key, entry => entry.Value.ToArray()));
    }

    private Manifest? ReadManifest(JsonElement json, string app)
    {
        if (!IsObject(json, "", "app", "name", "url", "email", "events", "consumes", "topics", "notifications"))
            return null;

        if (Text(json, "", "app", required: true) is { } declared && declared != app)
            Add("/app", $"must be '{app}'");
        var name = Text(json, "", "name", required: true) ?? "";
        var events = ReadEvents(json, app);
        var consumes = ReadConsumes(json, app);
        return new Manifest(app, name, events, consumes, ReadTopics(json), ReadRules(json, events, consumes)) { Url = ReadUrl(json), EmailFrom = ReadSender(json) };
    }

    private Uri? ReadUrl(JsonElement json)
    {
        if (Text(json, "", "url") is not { } text)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp) && url.Query.Length == 0 && url.Fragment.Length == 0)
            return url;
        Add("/url", "must be a web address such as https://mixers.example, without query and fragment");
        return null;
    }

    private string? ReadSender(JsonElement json)
    {
        if (!Optional(json, "email", JsonValueKind.Object, "", out var email) || !IsObject(email, "/email", "from"))
            return null;
        var from = Text(email, "/email", "from");
        if (from is not null && !Names.IsMailbox(from))
            Add("/email/from", "must be an address such as news@mixers.example, or Live Mixers <news@mixers.example>");
        return from;
    }

    private FrozenDictionary<string, EventTypeDeclaration> ReadEvents(JsonElement json, string app)
    {
        var events = new Dictionary<string, EventTypeDeclaration>(StringComparer.Ordinal);
        if (!Optional(json, "events", JsonValueKind.Object, "", out var declarations))
            return events.ToFrozenDictionary();

        foreach (var property in declarations.EnumerateObject())
        {
            var pointer = "/events/" + JsonText.Escape(property.Name);
            var type = property.Name;
            if (!Names.IsEventType(type))
                Add(pointer, "is not an event type: lower-case words joined by dots");
            else if (BuiltInTypes.IsReserved(type))
                Add(pointer, "is published by the service alone");
            if (!IsObject(property.Value, pointer, "title", "schema", "publishableBy", "sharedWith"))
                continue;

            var schema = ReadSchema(property.Value, pointer, BuiltInTypes.Contains(type), out var schemaText);
            var publishableBy = Strings(property.Value, "publishableBy", pointer, s_publishers);
            var sharedWith = Strings(property.Value, "sharedWith", pointer, allowed: null);
            for (var i = 0; i < sharedWith.Count; i++)
            {
                if (!Names.IsApp(sharedWith[i]))
                    Add($"{pointer}/sharedWith/{i}", "is not an app id");
                else if (sharedWith[i] == app)
                    Add($"{pointer}/sharedWith/{i}", "an app does not share with itself");
            }

            events[type] = new EventTypeDeclaration(type, Text(property.Value, pointer, "title"), schemaText, schema,
                publishableBy.Contains("users"), sharedWith.ToFrozenSet(StringComparer.Ordinal));
        }

        return events.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private JsonSchema? ReadSchema(JsonElement declaration, string pointer, bool builtIn, out string? text)
    {
        text = null;
        if (!declaration.TryGetProperty("schema", out var schema))
            return null;
        pointer += "/schema";
        if (builtIn)
            Add(pointer, "a built-in type keeps its own schema");
        if (schema.ValueKind != JsonValueKind.Object)
        {
            Add(pointer, "must be a JSON Schema object");
            return null;
        }

        var verdict = MetaSchemas.Draft202012.Evaluate(schema, s_listOutput);
        if (!verdict.IsValid)
        {
            foreach (var (location, message) in SchemaFaults.Of(verdict))
                Add(pointer + location, message);
            return null;
        }

        if (SchemaReferences.FindBroken(schema) is { } broken)
        {
            Add(pointer, broken.StartsWith('#')
                ? $"refers to '{broken}', which the schema does not have"
                : $"refers to '{broken}'; only references inside the schema are followed");
            return null;
        }

        try
        {
            text = schema.GetRawText();
            // A registry of its own: two versions of one schema, or two apps, may use the same $id.
            return JsonSchema.FromText(text, new BuildOptions { SchemaRegistry = new SchemaRegistry() });
        }
        catch (Exception e) when (e is JsonException or JsonSchemaException or ArgumentException or InvalidOperationException)
        {
            Add(pointer, "is not a usable JSON Schema: " + e.Message);
            return null;
        }
    }

    private static readonly EvaluationOptions s_listOutput = new() { OutputFormat = OutputFormat.List };

    private List<Consumption> ReadConsumes(JsonElement json, string app)
    {
        var consumes = new List<Consumption>();
        foreach (var (item, pointer) in Items(json, "consumes", ""))
        {
            if (!IsObject(item, pointer, "app", "types"))
                continue;
            var from = Text(item, pointer, "app", required: true);
            if (from is not null && !Names.IsApp(from))
                Add(pointer + "/app", "is not an app id");
            else if (from == app)
                Add(pointer + "/app", "an app has its own events already");

            var patterns = new List<Pattern>();
            var types = Strings(item, "types", pointer, allowed: null);
            if (types.Count == 0)
                Add(pointer + "/types", "at least one type or pattern is required");
            for (var i = 0; i < types.Count; i++)
            {
                if (Pattern.TryParseType(types[i], out var pattern))
                    patterns.Add(pattern);
                else
                    Add($"{pointer}/types/{i}", "is not a type, a prefix and '.*', or '*'");
            }

            consumes.Add(new Consumption(from ?? "", patterns));
        }

        return consumes;
    }

    private List<TopicDeclaration> ReadTopics(JsonElement json)
    {
        var topics = new List<TopicDeclaration>();
        foreach (var (item, pointer) in Items(json, "topics", ""))
        {
            if (!IsObject(item, pointer, "pattern", "access"))
                continue;
            var access = Text(item, pointer, "access", required: true);
            if (access is not null && !s_access.Contains(access))
                Add(pointer + "/access", "must be 'members' or 'claim'");
            var text = Text(item, pointer, "pattern", required: true);
            if (text is null)
                continue;
            if (!Pattern.TryParseTopic(text, out var pattern))
                Add(pointer + "/pattern", "is not a topic, or a prefix and '*'");
            else if (topics.FirstOrDefault(other => other.Pattern.Intersect(pattern) is not null) is { } overlapping)
                Add(pointer + "/pattern", $"overlaps '{overlapping.Pattern}'; each topic must have one access rule");
            else
                topics.Add(new TopicDeclaration(pattern, access == "claim"));
        }

        return topics;
    }

    private List<NotificationRule> ReadRules(JsonElement json, FrozenDictionary<string, EventTypeDeclaration> events, List<Consumption> consumes)
    {
        var rules = new List<NotificationRule>();
        foreach (var (item, pointer) in Items(json, "notifications", ""))
        {
            if (!IsObject(item, pointer, "name", "on", "title", "body", "link", "image", "actions", "channels", "to", "required", "unlessAckedWithin", "locales", "email", "digest", "throttle"))
                continue;
            var name = Text(item, pointer, "name", required: true) ?? "";
            if (name.Length > 0 && rules.Any(rule => rule.Name == name))
                Add(pointer + "/name", $"'{name}' names another rule already");
            var on = Text(item, pointer, "on", required: true) ?? "";
            if (on.Length > 0)
            {
                if (BuiltInTypes.IsReserved(on))
                    Add(pointer + "/on", "a notification about a notification would never end");
                else if (!Names.IsEventType(on))
                    Add(pointer + "/on", "is not an event type: lower-case words joined by dots");
                else if (!events.ContainsKey(on) && !BuiltInTypes.Contains(on) && !consumes.Any(c => c.Types.Any(t => t.Matches(on))))
                    Add(pointer + "/on", $"'{on}' is neither declared, nor built in, nor consumed");
            }

            var to = Text(item, pointer, "to");
            if (to is not null && !s_audiences.Contains(to))
                Add(pointer + "/to", "must be 'user', 'followers' or 'members'");
            var channels = Strings(item, "channels", pointer, ChannelNames.All).Distinct(StringComparer.Ordinal).ToList();
            var unlessAckedWithin = Seconds(item, "unlessAckedWithin", pointer);
            if (unlessAckedWithin is not null && channels.Count > 0 && !channels.Contains(ChannelNames.Websocket))
                Add(pointer + "/unlessAckedWithin", "needs the channel 'websocket': without it nothing is there to be acknowledged");
            rules.Add(new NotificationRule(name, on,
                Template(item, pointer, "title", required: true)!, Template(item, pointer, "body"), Template(item, pointer, "link"), Template(item, pointer, "image"),
                ReadActions(item, pointer), channels, to, Flag(item, "required", pointer), unlessAckedWithin, ReadLocales(item, pointer))
            {
                Email = ReadEmail(item, pointer),
                Digest = ReadDigest(item, pointer),
                Throttle = ReadThrottle(item, pointer),
            });
        }

        return rules;
    }

    private EmailTemplate? ReadEmail(JsonElement rule, string pointer)
    {
        if (!Optional(rule, "email", JsonValueKind.Object, pointer, out var json) || !IsObject(json, pointer + "/email", "subject", "text", "html"))
            return null;
        return new EmailTemplate(Template(json, pointer + "/email", "subject"), Template(json, pointer + "/email", "text"), Template(json, pointer + "/email", "html"));
    }

    private DigestRule? ReadDigest(JsonElement rule, string pointer)
    {
        if (!Optional(rule, "digest", JsonValueKind.Object, pointer, out var json) || !IsObject(json, pointer + "/digest", "window", "key", "max"))
            return null;
        var window = Seconds(json, "window", pointer + "/digest", required: true);
        return new DigestRule(window ?? default, Template(json, pointer + "/digest", "key"), Number(json, "max", pointer + "/digest", MaxDigest) ?? MaxDigest);
    }

    private ThrottleRule? ReadThrottle(JsonElement rule, string pointer)
    {
        if (!Optional(rule, "throttle", JsonValueKind.Object, pointer, out var json) || !IsObject(json, pointer + "/throttle", "count", "per", "key"))
            return null;
        var count = Number(json, "count", pointer + "/throttle", MaxThrottle, required: true);
        return new ThrottleRule(count ?? 1, Seconds(json, "per", pointer + "/throttle", required: true) ?? default, Template(json, pointer + "/throttle", "key"));
    }

    private FrozenDictionary<string, LocalizedText> ReadLocales(JsonElement rule, string pointer)
    {
        var locales = new Dictionary<string, LocalizedText>(StringComparer.OrdinalIgnoreCase);
        if (!Optional(rule, "locales", JsonValueKind.Object, pointer, out var json))
            return locales.ToFrozenDictionary();
        foreach (var property in json.EnumerateObject())
        {
            var at = $"{pointer}/locales/{JsonText.Escape(property.Name)}";
            if (IsObject(property.Value, at, "title", "body"))
                locales[property.Name] = new LocalizedText(Template(property.Value, at, "title"), Template(property.Value, at, "body"));
        }

        return locales.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    private List<NotificationAction> ReadActions(JsonElement rule, string pointer)
    {
        var actions = new List<NotificationAction>();
        foreach (var (item, at) in Items(rule, "actions", pointer))
        {
            if (!IsObject(item, at, "title", "link"))
                continue;
            if (actions.Count == MostActions)
                Add(at, $"a notification has at most {MostActions} actions");
            actions.Add(new NotificationAction(Template(item, at, "title", required: true)!, Template(item, at, "link", required: true)!));
        }

        return actions;
    }

    private LiquidTemplate? Template(JsonElement parent, string pointer, string name, bool required = false)
    {
        if (Text(parent, pointer, name, required) is not { } text)
            return null;
        var template = LiquidTemplate.Parse(text, out var fault);
        if (template is null)
            Add($"{pointer}/{name}", "is not a Liquid template: " + fault);
        return template;
    }

    private bool IsObject(JsonElement value, string pointer, params string[] known)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Add(pointer, "must be an object");
            return false;
        }

        foreach (var property in value.EnumerateObject())
        {
            if (!known.Contains(property.Name))
                Add($"{pointer}/{JsonText.Escape(property.Name)}", "is not a known property; known are " + string.Join(", ", known));
        }

        return true;
    }

    private bool Optional(JsonElement parent, string name, JsonValueKind kind, string pointer, out JsonElement value)
    {
        if (!parent.TryGetProperty(name, out value))
            return false;
        if (value.ValueKind == kind)
            return true;
        Add($"{pointer}/{name}", $"must be an {kind.ToString().ToLowerInvariant()}");
        return false;
    }

    private IEnumerable<(JsonElement Item, string Pointer)> Items(JsonElement parent, string name, string pointer) =>
        Optional(parent, name, JsonValueKind.Array, pointer, out var array)
            ? array.EnumerateArray().Select((item, i) => (item, $"{pointer}/{name}/{i}"))
            : [];

    private string? Text(JsonElement parent, string pointer, string name, bool required = false)
    {
        if (!parent.TryGetProperty(name, out var value))
        {
            if (required)
                Add($"{pointer}/{name}", "is required");
            return null;
        }

        if (value.ValueKind != JsonValueKind.String || (required && string.IsNullOrWhiteSpace(value.GetString())))
        {
            Add($"{pointer}/{name}", "must be a text");
            return null;
        }

        return value.GetString();
    }

    private List<string> Strings(JsonElement parent, string name, string pointer, string[]? allowed)
    {
        var values = new List<string>();
        foreach (var (item, at) in Items(parent, name, pointer))
        {
            if (item.ValueKind != JsonValueKind.String)
                Add(at, "must be a text");
            else if (allowed is not null && !allowed.Contains(item.GetString()))
                Add(at, "must be one of " + string.Join(", ", allowed));
            values.Add(item.ValueKind == JsonValueKind.String ? item.GetString()! : "");
        }

        return values;
    }

    private bool Flag(JsonElement parent, string name, string pointer)
    {
        if (!parent.TryGetProperty(name, out var value))
            return false;
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            Add($"{pointer}/{name}", "must be true or false");
        return value.ValueKind == JsonValueKind.True;
    }

    private int? Number(JsonElement parent, string name, string pointer, int most, bool required = false)
    {
        if (!parent.TryGetProperty(name, out var value))
        {
            if (required)
                Add($"{pointer}/{name}", "is required");
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 1 && number <= most)
            return number;
        Add($"{pointer}/{name}", $"must be a whole number, 1 to {most}");
        return null;
    }

    private TimeSpan? Seconds(JsonElement parent, string name, string pointer, bool required = false)
    {
        if (!parent.TryGetProperty(name, out var value))
        {
            if (required)
                Add($"{pointer}/{name}", "is required");
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var seconds) && seconds is > 0 and <= 86_400)
            return TimeSpan.FromSeconds(seconds);
        Add($"{pointer}/{name}", "must be a whole number of seconds, 1 to 86400");
        return null;
    }

    private void Add(string pointer, string message)
    {
        if (!_errors.TryGetValue(pointer, out var messages))
            _errors[pointer] = messages = [];
        messages.Add(message);
    }
}
