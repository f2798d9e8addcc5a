using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.Publishing;

public sealed class EventDraftTests
{
    [Fact]
    public void DraftOfAnObject_HasItsDataInCamelCase()
    {
        var draft = EventDraft.Of("live-mixers", "mix.published", new { MixId = "7", Length = 3.5 });

        (draft.Source, draft.Type).ShouldBe(("live-mixers", "mix.published"));
        draft.Data.GetRawText().ShouldBe("""{"mixId":"7","length":3.5}""");
    }

    [Fact]
    public void DraftWithoutData_HasAnEmptyObject() => new EventDraft { Source = "a1", Type = "b" }.Data.GetRawText().ShouldBe("{}");
}
