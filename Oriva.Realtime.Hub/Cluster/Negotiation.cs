using System.Net.Mime;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>SignalR's negotiation, whose answer names the connection that the client's next requests are for.</summary>
internal static class Negotiation
{
    private const string Token = "connectionToken";
    private const string Id = "connectionId"; // which clients of version 0 send in the token's place

    /// <summary>Lets SignalR answer, and puts the node's id in front of the token.</summary>
    public static async Task AnswerAsync(HttpContext http, RequestDelegate next, string node)
    {
        var response = http.Response;
        var body = response.Body;
        using var buffer = new MemoryStream();
        response.Body = buffer;
        try
        {
            await next(http);
        }
        finally
        {
            response.Body = body;
        }

        var answer = buffer.ToArray();
        if (response.StatusCode == StatusCodes.Status200OK && response.ContentType?.StartsWith(MediaTypeNames.Application.Json, StringComparison.OrdinalIgnoreCase) == true)
            answer = NameNode(answer, node);
        if (response.ContentLength is not null)
            response.ContentLength = answer.Length;
        await body.WriteAsync(answer, http.RequestAborted);
    }

    internal static byte[] NameNode(ReadOnlySpan<byte> answer, string node)
    {
        var fields = JsonNode.Parse(answer)!.AsObject();
        var name = fields.ContainsKey(Token) ? Token : Id;
        // An answer that refuses the client's version has neither.
        if (fields[name] is { } token)
            fields[name] = NodeToken.Of(node, token.GetValue<string>());
        return JsonSerializer.SerializeToUtf8Bytes(fields);
    }
}
