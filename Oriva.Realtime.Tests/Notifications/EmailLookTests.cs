using System.Text.Json;
using Microsoft.Playwright;
using Oriva.Realtime.Core.Notifications.Channels;

namespace Oriva.Realtime.Tests.Notifications;

/// <summary>The layout as a browser draws it, light and dark, wide and narrow. The pictures lie in <c>email-pictures</c> beside the tests' program.</summary>
public sealed class EmailLookTests : IAsyncLifetime
{
    private const double LeastContrast = 4.5;

    /// <summary>The least contrast of any text on what lies behind it (WCAG 2.2), and which text that is.</summary>
    private const string ContrastScript = """
        () => {
          const rgb = c => c.match(/[\d.]+/g).map(Number);
          const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((rgb(c)[3] ?? 1) > 0) return c; } return 'rgb(255, 255, 255)'; };
          let worst = { ratio: 21, text: '', checked: 0 };
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          let checked = 0;
          while (walker.nextNode()) {
            const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
            if (!text || e.closest('style') || !e.checkVisibility() || getComputedStyle(e).display === 'none' || !e.getClientRects().length) continue;
            checked++;
            const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);
            if (ratio < worst.ratio) worst = { ratio, text };
          }
          return JSON.stringify({ ...worst, checked, page: light(behind(document.querySelector('.page'))) });
        }
        """;

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public static TheoryData<string, string, int> Looks()
    {
        var looks = new TheoryData<string, string, int>();
        foreach (var mail in new[] { "full", "long", "plain", "own" })
        {
            foreach (var scheme in new[] { "light", "dark" })
            {
                looks.Add(mail, scheme, 800);
                looks.Add(mail, scheme, 375);
            }
        }

        return looks;
    }

    [Theory]
    [MemberData(nameof(Looks))]
    public async Task Layout_IsReadable_FitsTheScreen_AndFetchesNothing(string mail, string scheme, int width)
    {
        var parts = Parts(mail);
        var (html, _) = await EmailLayout.RenderAsync(parts, TimeProvider.System);
        await using var context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = scheme == "dark" ? ColorScheme.Dark : ColorScheme.Light, ViewportSize = new ViewportSize { Width = width, Height = 700 }, DeviceScaleFactor = 2, JavaScriptEnabled = true,
        });
        var page = await context.NewPageAsync();
        var asked = new List<string>();
        await page.RouteAsync("**/*", async route =>
        {
            asked.Add(route.Request.Url);
            await route.FulfillAsync(new RouteFulfillOptions { ContentType = "image/svg+xml", Body = """<svg xmlns="http://www.w3.org/2000/svg" width="988" height="420"><rect width="988" height="420" fill="#7a5cff"/><circle cx="494" cy="210" r="120" fill="#ffd166"/></svg>""" });
        });
        await page.SetContentAsync(html);
        var folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "email-pictures"));
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder.FullName, $"{mail}-{scheme}-{width}.png"), FullPage = true });

        asked.ShouldBe(parts.Image is null || mail == "own" ? [] : [parts.Image.AbsoluteUri], "only the notification's own image");
        var seen = JsonElement.Parse(await page.EvaluateAsync<string>(ContrastScript));
        seen.GetProperty("ratio").GetDouble().ShouldBeGreaterThanOrEqualTo(LeastContrast, seen.GetProperty("text").GetString());
        seen.GetProperty("checked").GetInt32().ShouldBeGreaterThanOrEqualTo(3);
        (seen.GetProperty("page").GetDouble() < 0.1).ShouldBe(scheme == "dark", "the page is as dark as the reader wants it");
        (await page.EvaluateAsync<int>("() => document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(width, "nothing is cut off at the side");
        (await page.EvaluateAsync<bool>("() => [...document.querySelectorAll('.card *')].every(e => e.getBoundingClientRect().right <= document.querySelector('.card').getBoundingClientRect().right + 0.5)"))
            .ShouldBeTrue("nothing leaves the card");
        if (mail != "own" && parts.Links.Count > 0)
        {
            var buttons = page.Locator("a.label");
            (await buttons.CountAsync()).ShouldBe(parts.Links.Count);
            foreach (var (i, link) in parts.Links.Index())
            {
                (await buttons.Nth(i).GetAttributeAsync("href")).ShouldBe(link.Link.AbsoluteUri);
                (await buttons.Nth(i).InnerTextAsync()).ShouldBe(link.Title);
                (await buttons.Nth(i).BoundingBoxAsync())!.Height.ShouldBeGreaterThanOrEqualTo(44, "a thumb hits it");
            }
        }

        (await page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = "Unsubscribe" }).CountAsync()).ShouldBe(parts.Unsubscribe is null ? 0 : 1);
    }

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("ORIVA_TEST_CHROMIUM") ?? "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    private static EmailParts Parts(string mail)
    {
        var app = new Uri("https://mixers.example/");
        var parts = new EmailParts(
            "Live Mixers", app, "en", "Night Drive is out", "By Ada Lovelace and the Analytical Engine.\n\nForty minutes of slow synths, recorded live.", new Uri("https://mixers.example/covers/7.svg"),
            [new EmailLink("Listen now", new Uri("https://mixers.example/mixes/7?from=mail&x=1")), new EmailLink("Save for later", new Uri("https://mixers.example/mixes/7/save"))],
            new Uri("https://realtime.example/api/v1/unsubscribe/token"), new EmailContent(null, null, null));
        return mail switch
        {
            "long" => parts with
            {
                AppName = "An app whose name is longer than anybody would have thought possible when the layout was made",
                Title = "A title of many words that goes on over several lines, and then has Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikantenverband in it",
                Body = string.Join(' ', Enumerable.Repeat("Words and more words.", 30)) + "\n\nhttps://mixers.example/" + new string('x', 200), Image = null,
                Links =
                [
                    new EmailLink("Open An app whose name is longer than anybody would have thought possible", new Uri("https://mixers.example/1")),
                    new EmailLink("Decline the invitation", new Uri("https://mixers.example/2")), new EmailLink("Perhaps", new Uri("https://mixers.example/3")),
                ],
            },
            "plain" => parts with { Body = null, Image = null, Links = [], Unsubscribe = null, AppUrl = null, Language = null },
            "own" => parts with { Content = new EmailContent(null, null, "<p style=\"margin:0\">Dear Ada,</p><p>this is what the app wrote itself, with <a href=\"https://mixers.example/x\">a link</a>.</p>") },
            _ => parts,
        };
    }
}
