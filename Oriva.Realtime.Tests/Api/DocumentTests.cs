using System.Text.Json;
using Microsoft.OpenApi;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>The OpenAPI document, and the page that shows it.</summary>
public sealed class DocumentTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const string Path = "/openapi/v1.json";

    /// <summary>With an example each, in an order in which they can be tried.</summary>
    private static readonly string[] s_operations =
    [
        "PublishEvents", "SearchEvents", "StreamEvents", "PollEvents", "CurrentCursor", "ListApps", "GetManifest", "PutManifest", "PutUser", "GetUser", "RemoveUser",
        "ReadOverview", "ListNodes", "ListConnections", "DisconnectUser", "ListBlocks", "UnblockUser",
    ];

    [Fact]
    public async Task TheDocument_IsValid()
    {
        var answer = await As(null).GetAsync(Path);
        answer.ShouldBe(200);
        var read = OpenApiDocument.Parse(answer.Text, "json");
        read.Diagnostic.ShouldNotBeNull().Errors.ShouldBeEmpty();
        read.Document.ShouldNotBeNull().Paths.ShouldContainKey("/api/v1/events");
    }

    [Fact]
    public async Task EveryOperation_HasAnIdASummaryAndItsRefusals()
    {
        foreach (var (id, _, path, operation) in await OperationsAsync())
        {
            operation.Text("summary").ShouldNotBeNullOrWhiteSpace(id);
            if (path.StartsWith("/api/", StringComparison.Ordinal))
                operation.At("responses").Names().ShouldContain("401", id);
        }
    }

    [Fact]
    public async Task EveryExample_IsAcceptedByTheApi()
    {
        // The one whom the examples speak of, and who may do it all.
        var ada = As(Tokens.Of(new TokenRequest("ada") { Apps = [WorkBuddy], Roles = ["admin"] }));
        var operations = (await OperationsAsync()).ToDictionary(operation => operation.Id);
        foreach (var id in s_operations)
        {
            operations.ShouldContainKey(id);
            var (_, method, path, operation) = operations[id];
            var query = new List<string>();
            foreach (var parameter in operation.TryGetProperty("parameters", out var parameters) ? parameters.EnumerateArray() : [])
            {
                var (name, place) = (parameter.Text("name"), parameter.Text("in"));
                if (!parameter.TryGetProperty("example", out var example))
                    place.ShouldNotBe("path", $"{id}: {name} has no example");
                else if (place == "path")
                    path = path.Replace($"{{{name}}}", Uri.EscapeDataString(example.ToString()), StringComparison.Ordinal);
                else
                    query.Add($"{name}={Uri.EscapeDataString(example.ToString())}");
            }

            if (id == "StreamEvents")
            {
                await using var stream = await ada.OpenStreamAsync(string.Join('&', query));
                (await stream.ReadAnyAsync().Soon("the stream begins")).ShouldNotBeNull();
                continue;
            }

            var body = operation.TryGetProperty("requestBody", out var request) ? request.At("content", "application/json", "example").GetRawText() : null;
            var answer = await ada.SendAsync(method, $"{path}?{string.Join('&', query)}", body, "application/json", []);
            answer.Status.ShouldBeInRange(200, 204, $"{id}: {answer.Text}");
            operation.At("responses").Names().ShouldContain(answer.Status.ToString(), $"{id} answers what the document does not say");
        }
    }

    [Fact]
    public async Task ThePage_IsThere_AndTheRootLeadsToIt()
    {
        (await As(null).GetAsync("/")).Headers.Location!.ToString().ShouldBe("/scalar");
        var page = await As(null).GetAsync("/scalar");
        if (page.Status is 301 or 302)
            page = await As(null).GetAsync(new Uri(new Uri("http://hub/scalar"), page.Headers.Location!).PathAndQuery);
        page.Status.ShouldBe(200);
        page.MediaType.ShouldBe("text/html");
        page.Text.ShouldContain("openapi/v1.json");
    }

    private async Task<IReadOnlyList<(string Id, HttpMethod Method, string Path, JsonElement Operation)>> OperationsAsync() =>
    [
        .. from path in (await As(null).GetAsync(Path)).ShouldBe(200).At("paths").EnumerateObject()
           from operation in path.Value.EnumerateObject()
           select (operation.Value.Text("operationId"), new HttpMethod(operation.Name.ToUpperInvariant()), path.Name, operation.Value),
    ];
}
