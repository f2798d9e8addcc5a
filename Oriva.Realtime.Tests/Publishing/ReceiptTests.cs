using System.Text.Json;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.Publishing;

public sealed class ReceiptTests
{
    [Fact]
    public void Receipt_AsJson_HasTheContractsFields()
    {
        var receipt = new Receipt("e-1", "live-mixers/users/ada", 7, new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero));

        var json = JsonSerializer.SerializeToElement(receipt, JsonSerializerOptions.Web);

        json.EnumerateObject().Select(field => field.Name).ShouldBe(["id", "stream", "seq", "recordedAt", "duplicate"], ignoreOrder: true);
        json.GetProperty("seq").GetInt64().ShouldBe(7);
        json.GetProperty("duplicate").GetBoolean().ShouldBeFalse();
    }
}
