using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>The OpenAPI document's own words: how to authenticate, and examples that work with the sample apps.</summary>
internal static class OpenApiExamples
{
    private const string BearerScheme = "bearer";

    private static readonly Dictionary<string, string> s_bodies = new(StringComparer.Ordinal)
    {
        ["PublishEvents"] = """
            { "source": "work-buddy", "type": "task.completed", "userId": "ada", "data": { "taskId": "t-1", "title": "Ship it" } }
            """,
        ["PollEvents"] = """
            { "app": "work-buddy", "from": "start", "interests": [{ "types": ["task.*"] }], "waitSeconds": 10, "limit": 100 }
            """,
        ["PutUser"] = """
            { "email": "ada@example.com", "locale": "en", "timeZone": "Europe/London" }
            """,
        ["DisconnectUser"] = """
            { "blockSeconds": 600, "reason": "Floods the rooms" }
            """,
        ["PutManifest"] = """
            { "app": "my-app", "name": "My App", "events": { "order.placed": { "title": "Order placed", "schema": { "type": "object", "required": ["orderId"] } } } }
            """,
    };

    private static readonly Dictionary<(string Operation, string Parameter), string> s_parameters = new()
    {
        [("SearchEvents", "app")] = "work-buddy",
        [("SearchEvents", "type")] = "task.*",
        [("StreamEvents", "app")] = "work-buddy",
        [("StreamEvents", "from")] = "start",
        [("CurrentCursor", "app")] = "work-buddy",
        [("GetManifest", "app")] = "work-buddy",
        [("PutManifest", "app")] = "my-app",
        [("PutUser", "app")] = "work-buddy",
        [("PutUser", "userId")] = "ada",
        [("GetUser", "app")] = "work-buddy",
        [("GetUser", "userId")] = "ada",
        [("RemoveUser", "app")] = "work-buddy",
        [("RemoveUser", "userId")] = "ada",
        [("ListConnections", "app")] = "work-buddy",
        [("ListConnections", "state")] = "all",
        [("DisconnectUser", "id")] = "eve",
        [("UnblockUser", "id")] = "eve",
    };

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Oriva.Realtime";
            document.Info.Version = "v1";
            document.Info.Description = "Publish once; every entitled user gets it, live or after any gap. In Development, POST /dev/token gives a token to try this with.";
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[BearerScheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "JWT" };
            document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(BearerScheme, document)] = [] }];
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            if (context.Description.ActionDescriptor.EndpointMetadata.OfType<IAllowAnonymous>().Any())
                operation.Security = [];
            var name = operation.OperationId ?? "";
            if (s_bodies.TryGetValue(name, out var body) && operation.RequestBody?.Content is { } contents)
            {
                foreach (var media in contents.Where(content => content.Key == "application/json"))
                    media.Value.Example = JsonNode.Parse(body);
            }

            foreach (var parameter in operation.Parameters ?? [])
            {
                if (parameter is OpenApiParameter own && s_parameters.TryGetValue((name, own.Name!), out var example))
                    own.Example = example;
            }

            return Task.CompletedTask;
        });
    }
}
