using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Apps;

public sealed class LiquidTemplateTests
{
    [Fact]
    public async Task TemplateThatTakesTooLong_IsStopped()
    {
        // Each look at the clock finds it a second later.
        var slow = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromSeconds(1) };

        (await RenderAsync("{{ data.a }} {{ data.b }} {{ data.a }}", slow)).Fault.ShouldBe("The template takes longer than 1000 ms.");
        (await RenderAsync("{{ data.a }} {{ data.b }} {{ data.a }}", TimeProvider.System)).Text.ShouldBe("x 1.5 x");
    }

    [Theory]
    [InlineData("{{ event.type }} by {{ event.actor }} in {{ app.name }}", "mix.published by bob in Mixers")]
    [InlineData("{{ data.deep.list[1].n }}", "2")]
    [InlineData("{{ data.missing }}{{ environment }}{{ app.manifest }}", "")]
    [InlineData("{% if data.yes %}yes{% endif %}{% unless data.nothing %} no{% endunless %}", "yes no")]
    [InlineData("a\n b ", "a  b")]
    public async Task Template_SeesItsEventAndApp_AndNothingElse(string text, string rendered) =>
        (await RenderAsync(text, TimeProvider.System)).ShouldBe((rendered, null));

    private static ValueTask<(string? Text, string? Fault)> RenderAsync(string text, TimeProvider time)
    {
        var model = LiquidTemplate.ModelOf(
            TestEvents.Stored(data: """{"a":"x","b":1.50,"yes":true,"nothing":null,"deep":{"list":[{"n":1},{"n":2}]}}"""), new App("mixers", "Mixers", 1, "{}", null!));
        var events = new Dictionary<string, object?> { ["type"] = "mix.published", ["actor"] = "bob" };
        return LiquidTemplate.Parse(text, out _)!.RenderAsync(model with { Event = events }, time, oneLine: true);
    }
}
