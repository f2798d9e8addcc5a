using System.Text.Json;
using System.Text.Json.Nodes;
using Fluid;
using Microsoft.EntityFrameworkCore;
using MimeKit;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Tests.EventLog;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Notifications;

/// <summary>What an e-mail says, from manifest and event to the bytes that a server gets.</summary>
public sealed class EmailContentTests(SqliteFixture fixture) : StoreTests(fixture), IClassFixture<SqliteFixture>
{
    private const string Root = "https://realtime.example/base/";

    private readonly MailServer _server = new();

    [Fact]
    public async Task DefaultMail_SaysWhatTheNotificationSays_InBothParts()
    {
        var mail = await SendAsync(
            Rule(title: "{{ data.title }} is out", body: "By {{ data.artist }}\nand friends", link: "/mixes/7", image: "/covers/7.png", actions: [new { title = "Play", link = "https://play.example/7" }]),
            new { title = "Night <Drive>", artist = "Ada & Bob" }, url: "https://mixers.example/app/");

        mail.Subject.ShouldBe("Night <Drive> is out");
        mail.HtmlBody!.ShouldContain("Night &lt;Drive&gt; is out</h1>");
        mail.HtmlBody!.ShouldContain("By Ada &amp; Bob<br>and friends</p>");
        mail.HtmlBody!.ShouldContain("href=\"https://mixers.example/mixes/7\"");
        mail.HtmlBody!.ShouldContain("src=\"https://mixers.example/covers/7.png\"");
        mail.HtmlBody!.ShouldContain("href=\"https://play.example/7\"");
        mail.HtmlBody!.ShouldContain("<meta name=\"color-scheme\" content=\"light dark\">");
        mail.TextBody!.ReplaceLineEndings("\n").ShouldStartWith(
            "Night <Drive> is out\n\nBy Ada & Bob\nand friends\n\nOpen Mixers: https://mixers.example/mixes/7\nPlay: https://play.example/7\n\n--\nMixers · https://mixers.example/app/\nUnsubscribe: https://");
    }

    [Fact]
    public async Task RelativeLinks_AreLeftOut_WhenNobodyKnowsTheSite()
    {
        var mail = await SendAsync(Rule(title: "t", link: "/mixes/7", image: "/covers/7.png", actions: [new { title = "Listen", link = "/play/7" }, new { title = "Buy", link = "https://shop.example/7" }]), new { });

        mail.HtmlBody!.ShouldContain("https://shop.example/7");
        foreach (var part in new[] { mail.HtmlBody!, mail.TextBody! })
        {
            part.ShouldNotContain("/mixes/7");
            part.ShouldNotContain("/covers/7.png");
            part.ShouldNotContain("Listen");
        }
    }

    [Fact]
    public async Task ActionThatLeadsWhereTheNotificationDoes_IsItsButton()
    {
        var mail = await SendAsync(Rule(title: "t", link: "/tasks/1", actions: [new { title = "Look at it", link = "/tasks/1" }]), new { }, url: "https://buddy.example");

        mail.HtmlBody!.Split("https://buddy.example/tasks/1").Length.ShouldBe(2);
        mail.HtmlBody!.ShouldContain(">Look at it</a>");
        mail.HtmlBody!.ShouldNotContain("Open Mixers");
    }

    [Fact]
    public async Task OwnTemplates_ReplaceSubjectTextAndTheHtmlWithinTheLayout()
    {
        var mail = await SendAsync(
            Rule(title: "Title", body: "Body", email: new { subject = "Own {{ data.name }}", text = "Hello {{ data.name }},\nown text.", html = "<p class=\"own\">Hello <b>{{ data.name }}</b></p>" }), new { name = "<i>Ada</i>" });

        mail.Subject.ShouldBe("Own <i>Ada</i>");
        mail.TextBody!.ReplaceLineEndings("\n").ShouldStartWith("Hello <i>Ada</i>,\nown text.\n\n--\nMixers\nUnsubscribe: ");
        mail.HtmlBody!.ShouldContain("<p class=\"own\">Hello <b>&lt;i&gt;Ada&lt;/i&gt;</b></p>");
        mail.HtmlBody!.ShouldContain("prefers-color-scheme");
        mail.HtmlBody!.ShouldContain("Unsubscribe</a>");
        mail.HtmlBody!.ShouldNotContain("<h1");
        mail.HtmlBody!.ShouldNotContain("<!-- content -->");
    }

    [Fact]
    public async Task PartThatTheRuleDoesNotName_ComesOfTitleAndBody()
    {
        var mail = await SendAsync(Rule(title: "Title", body: "Body", email: new { subject = "Own" }), new { });

        mail.Subject.ShouldBe("Own");
        mail.TextBody!.ShouldStartWith("Title");
        mail.HtmlBody!.ShouldContain("Title</h1>");
    }

    [Theory]
    [InlineData("{% for i in data.list %}{{ i | append: data.long | append: data.long }}{% endfor %}", "email.html: ")]
    [InlineData("{% for i in data.list %}{% for j in data.list %}{% for k in data.list %}{{ k }}{% endfor %}{% endfor %}{% endfor %}", "email.html: ")]
    public async Task TemplateThatFails_FallsBack_AndIsRecorded(string html, string error)
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync(Rule(title: "Title", email: new { html }));

        var mail = await SendAsync(node, app, new { list = Enumerable.Range(0, 40), @long = new string('x', 2_000) });

        mail.HtmlBody!.ShouldContain("Title</h1>");
        await using var context = node.Database.ForService();
        (await context.Notifications.SingleAsync(Cancel)).TemplateError.ShouldStartWith(error);
    }

    [Theory]
    [InlineData("{{ data.x }}")]
    [InlineData("Hi {{ data.x }}!")]
    public async Task LineBreaksInASubject_BeginNoHeader(string subject)
    {
        foreach (var end in new[] { "\r\n", "\n", "\r", "\u0085", "\u2028", "\v", "\r\n\r\n" })
        {
            _server.Forget();
            await SendAsync(Rule(title: subject, email: new { subject }), new { x = $"one{end}Bcc: eve@example.com{end}X-Evil: 1" });

            var mail = _server.Mails.ShouldHaveSingleItem();
            mail.To.ShouldBe(["ada@example.com"]);
            mail.Message.Headers.Select(header => header.Field).ShouldNotContain(field => field == "Bcc" || field == "X-Evil");
            mail.Headers.Split("\r\n").ShouldNotContain(line => line.StartsWith("Bcc", StringComparison.OrdinalIgnoreCase) || line.StartsWith("X-Evil", StringComparison.OrdinalIgnoreCase));
            mail.Message.Subject!.ShouldContain("Bcc: eve@example.com", Case.Sensitive, "it is text");
        }
    }

    [Fact]
    public async Task TextOfALineWithADot_ArrivesWhole()
    {
        var mail = await SendAsync(Rule(title: "t", email: new { text = "one\n.\n..two\nFrom three" }), new { });

        mail.TextBody!.ReplaceLineEndings("\n").ShouldStartWith("one\n.\n..two\nFrom three\n");
    }

    [Fact]
    public async Task Texts_OfEveryScript_Arrive()
    {
        const string Text = "Grüße, 日本語, עברית, 🎛️ – “ok”";
        var mail = await SendAsync(Rule(title: Text, body: Text), new { });

        (mail.Subject, mail.TextBody!.StartsWith(Text, StringComparison.Ordinal), mail.HtmlBody!.Contains(Text + "</h1>", StringComparison.Ordinal)).ShouldBe((Text, true, true));
        _server.Mails.Single().Headers.All(char.IsAscii).ShouldBeTrue("the server offered more for bodies only");
    }

    [Theory]
    [InlineData("de-AT", "Hallo", "lang=\"de\"")]
    [InlineData("pt-BR", "Oi", "lang=\"pt-BR\"")]
    [InlineData("fr", "Hello", null)]
    [InlineData(null, "Hello", null)]
    public async Task Mail_IsInTheUsersLanguage_AndSaysWhich(string? locale, string title, string? attribute)
    {
        var locales = new Dictionary<string, object> { ["de"] = new { title = "Hallo" }, ["pt-BR"] = new { title = "Oi" } };
        var mail = await SendAsync(Rule(title: "Hello", locales: locales), new { }, locale: locale);

        mail.Subject.ShouldBe(title);
        var html = mail.HtmlBody![mail.HtmlBody!.IndexOf("<html", StringComparison.Ordinal)..].Split('>')[0];
        html.Contains("lang=", StringComparison.Ordinal).ShouldBe(attribute is not null, html);
        html.ShouldContain(attribute ?? "");
    }

    [Fact]
    public async Task Sender_IsTheApps_ElseTheServices()
    {
        var rule = Rule(title: "t");
        (await SendAsync(rule, new { }, from: "Live Mixers <news@mixers.example>")).From.ToString().ShouldBe("\"Live Mixers\" <news@mixers.example>");
        _server.Mails.Single().From.ShouldStartWith("MAIL FROM:<news@mixers.example>");
        _server.Mails.Single().Message.MessageId.ShouldEndWith("@mixers.example");
        _server.Forget();

        (await SendAsync(rule, new { })).From.ToString().ShouldBe("news@realtime.example");
    }

    [Fact]
    public async Task RequiredMail_CannotBeUnsubscribed()
    {
        var mail = await SendAsync(Rule(title: "t", required: true), new { });

        mail.Headers[HeaderId.ListUnsubscribe].ShouldBeNull();
        mail.Headers[HeaderId.ListUnsubscribePost].ShouldBeNull();
        mail.HtmlBody!.ShouldNotContain("nsubscribe");
        mail.TextBody!.ShouldNotContain("nsubscribe");
    }

    [Fact]
    public async Task WithoutAPublicAddress_NothingSaysUnsubscribe()
    {
        var node = await StartAsync(smtp => smtp.PublicUrl = null);
        var mail = await SendAsync(node, await node.AddAppAsync(Rule(title: "t")), new { });

        mail.Headers[HeaderId.ListUnsubscribe].ShouldBeNull();
        mail.HtmlBody!.ShouldNotContain("nsubscribe");
    }

    [Fact]
    public async Task UnsubscribeHeader_IsOneLongLine_ThatNamesTheOneClick()
    {
        var mail = await SendAsync(Rule(title: "t"), new { });

        mail.Headers[HeaderId.ListUnsubscribe]!.ShouldMatch($"^<{Root}api/v1/unsubscribe/[A-Za-z0-9_.-]+>$");
        mail.Headers[HeaderId.ListUnsubscribePost].ShouldBe("List-Unsubscribe=One-Click");
    }

    [Fact]
    public async Task Data_CannotBringMarkupIn_ThroughAnyFilterOrTag()
    {
        const string Evil = "<script>\"'><img src=x onerror=1>";
        var data = JsonSerializer.Serialize(new
        {
            a = Evil, url = Uri.EscapeDataString(Evil), encoded = System.Net.WebUtility.HtmlEncode(Evil), base64 = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Evil)),
            list = new[] { Evil, Evil }, deep = new Dictionary<string, object> { [Evil] = Evil }, items = new[] { new { name = Evil } },
        });
        var model = LiquidTemplate.ModelOf(TestEvents.Stored(data: data), new App("mixers", "Mixers", 1, "{}", null!));
        var filters = new TemplateOptions().Filters.Select(filter => filter.Key).ToList();
        filters.Count.ShouldBeGreaterThan(30);
        string[] sources = ["data.a", "data.url", "data.encoded", "data.base64", "data.list", "data.list[0]", "data.deep", "data.items", "data"];
        string[] arguments = ["", ": data.a", ": data.a, data.a", ": 'name'", ": 1", ": '&lt;', '<'", ": '', data.a"];
        List<string> templates =
        [
            .. from filter in filters from source in sources from argument in arguments select $"{{{{ {source} | {filter}{argument} }}}}",
            .. from filter in filters from last in filters from source in new[] { "data.a", "data.list" } select $"{{{{ {source} | {filter} | {last} }}}}",
            .. from filter in filters select $"{{% capture x %}}{{{{ data.a }}}}{{% endcapture %}}{{{{ x | {filter} }}}}{{{{ x | replace: '&lt;', '<' | {filter} }}}}",
            .. from filter in filters select $"{{% assign x = data.encoded | {filter} %}}{{{{ x }}}}{{% cycle data.a, x %}}{{% for c in x %}}{{{{ c }}}}{{% endfor %}}",
            "{% cycle data.a %}", "{% echo data.a %}", "{% liquid echo data.a %}", "{% for x in data.deep %}{{ x }}{{ x[0] }}{{ x[1] }}{% endfor %}", "{{ data.a | split: '' | join: '' | raw }}",
            "{% for x in data.list %}{{ x | raw }}{% endfor %}", "{{ data.items | map: 'name' | first | raw }}", "{{ data.list | join: '<' | raw }}", "{% case data.a %}{% when '' %}{% else %}{{ data.a }}{% endcase %}",
            "{{ data.missing | default: data.a | raw }}", "{% tablerow x in data.list %}{{ x }}{% endtablerow %}",
        ];
        var rendered = 0;
        foreach (var text in templates)
        {
            if (LiquidTemplate.Parse(text, out _) is not { } template)
                continue;
            var (html, _) = await template.RenderHtmlAsync(model, TimeProvider.System);
            if (html is null)
                continue;
            rendered++;
            var plain = html.Replace("<br>", "", StringComparison.Ordinal);
            if (text.Contains("tablerow", StringComparison.Ordinal))
                plain = System.Text.RegularExpressions.Regex.Replace(plain, "</?t[rd][a-z0-9 =\"]*>", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1));
            plain.IndexOfAny(['<', '>', '"', '\'']).ShouldBe(-1, $"{text} makes {html}");
        }

        rendered.ShouldBeGreaterThan(1_000);
    }

    [Theory]
    [InlineData("{{ data.a }}|{{ data.list }}|{{ data.a | upcase }}", "a &amp; &lt;b&gt;|a &amp; &lt;b&gt;x|A &amp; &lt;B&gt;")]
    [InlineData("{{ data.a | size }} {{ data.a | slice: 2, 3 }} {{ data.a | truncate: 6, '' }} {{ data.a | split: '&' | last }}", "7 &amp; &lt; a &amp; &lt;b  &lt;b&gt;")]
    [InlineData("<a href=\"/x?q={{ data.a | url_encode }}\">{{ data.a | replace: '&', 'and' }}</a>", "<a href=\"/x?q=a+%26+%3Cb%3E\">a and &lt;b&gt;</a>")]
    [InlineData("{{ data.a | escape }} {{ data.a | escape_once }} {{ data.a | raw }}", "a &amp; &lt;b&gt; a &amp; &lt;b&gt; a &amp; &lt;b&gt;")]
    [InlineData("{{ data.lines | newline_to_br }}{{ data.a | append: '<br>' }}", "1<br>&lt;2&gt;a &amp; &lt;b&gt;&lt;br&gt;")]
    public async Task Html_SaysWhatTheDataSays(string text, string made)
    {
        var model = LiquidTemplate.ModelOf(TestEvents.Stored(data: """{"a":"a & <b>","list":["a & <b>","x"],"lines":"1\n<2>"}"""), new App("mixers", "Mixers", 1, "{}", null!));

        (await LiquidTemplate.Parse(text, out _)!.RenderHtmlAsync(model, TimeProvider.System)).ShouldBe((made, null));
    }

    [Theory]
    [InlineData("{{ data.emoji | slice: 0 }}|", "\uFFFD|")]
    [InlineData("a{{ '%00' | url_decode }}b", "ab")]
    public async Task WhatNoStoreKeeps_IsNotMade(string text, string made)
    {
        var model = LiquidTemplate.ModelOf(TestEvents.Stored(data: """{"emoji":"😀"}"""), new App("mixers", "Mixers", 1, "{}", null!));

        (await LiquidTemplate.Parse(text, out _)!.RenderAsync(model, TimeProvider.System, oneLine: true)).Text.ShouldBe(made);
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        await _server.DisposeAsync();
    }

    private static object Rule(
        string title, string? body = null, string? link = null, string? image = null, object[]? actions = null, object? email = null, bool required = false, Dictionary<string, object>? locales = null)
    {
        var rule = new JsonObject { ["name"] = "r", ["on"] = TestManifest.Type, ["title"] = title, ["channels"] = new JsonArray("email"), ["required"] = required };
        foreach (var (name, value) in new (string, object?)[] { ("body", body), ("link", link), ("image", image), ("actions", actions), ("email", email), ("locales", locales) })
        {
            if (value is not null)
                rule[name] = JsonSerializer.SerializeToNode(value);
        }

        return rule;
    }

    private async Task<LogHost> StartAsync(Action<SmtpOptions>? configure = null) => await StartNodeAsync(new LogHostSettings
    {
        Smtp = smtp =>
        {
            (smtp.Host, smtp.Port, smtp.Security, smtp.From) = ("127.0.0.1", _server.Port, SmtpSecurity.None, "news@realtime.example");
            (smtp.PublicUrl, smtp.UnsubscribeKey) = (Root, "a key of the tests, 32 bytes and more");
            configure?.Invoke(smtp);
        },
    });

    /// <summary>The mail that an event of the rule makes.</summary>
    private async Task<MimeMessage> SendAsync(object rule, object data, string? url = null, string? from = null, string? locale = null)
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync();
        var manifest = JsonNode.Parse(node.Registry.Find(app)!.ManifestText)!.AsObject();
        manifest["name"] = "Mixers";
        manifest["notifications"] = JsonSerializer.SerializeToNode(new[] { rule });
        if (url is not null)
            manifest["url"] = url;
        if (from is not null)
            manifest["email"] = new JsonObject { ["from"] = from };
        await node.PutManifestAsync(manifest.ToJsonString());
        return await SendAsync(node, app, data, locale);
    }

    private async Task<MimeMessage> SendAsync(LogHost node, string app, object data, string? locale = null)
    {
        await node.Directory.PutAsync(app, "ada", new AppUserDetails("ada@example.com", locale, null), Cancel);
        await node.PublishAsync(Drafts.ToUser(app, "ada", data));
        await Waiting.Eventually("the mail arrives", () => _server.Mails.Count > 0);
        return _server.Mails.Single().Message;
    }
}
