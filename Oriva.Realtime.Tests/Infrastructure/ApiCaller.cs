using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Somebody with a token, or without, who calls a hub over HTTP.</summary>
internal sealed class ApiCaller(HttpClient http, string? token)
{
    public const string Events = "/api/v1/events";

    public Task<HttpAnswer> GetAsync(string path, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, null, null, headers);

    public Task<HttpAnswer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path, null, null, []);

    /// <param name="body">JSON as it is, or an object to make it from.</param>
    public Task<HttpAnswer> PostAsync(string path, object body, string mediaType = "application/json") => SendAsync(HttpMethod.Post, path, body, mediaType, []);

    public Task<HttpAnswer> PutAsync(string path, object body, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Put, path, body, "application/json", headers);

    public Task<HttpAnswer> PublishAsync(object draft) => PostAsync(Events, draft);

    public Task<HttpAnswer> PollAsync(object request) => PostAsync(Events + "/poll", request);

    /// <summary>Opens server-sent events; refused, it fails the test.</summary>
    public async Task<SseReader> OpenStreamAsync(string query, string? lastEventId = null)
    {
        var request = Request(HttpMethod.Get, $"{Events}/stream?{query}", null, null);
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
            (await HttpAnswer.ReadAsync(response)).ShouldBe(200);
        return await SseReader.OpenAsync(response);
    }

    public async Task<HttpAnswer> SendAsync(HttpMethod method, string path, object? body, string? mediaType, (string Name, string Value)[] headers)
    {
        using var request = Request(method, path, body, mediaType);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await http.SendAsync(request);
        return await HttpAnswer.ReadAsync(response);
    }

    private HttpRequestMessage Request(HttpMethod method, string path, object? body, string? mediaType)
    {
        var request = new HttpRequestMessage(method, path);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
        {
            request.Content = body is byte[] bytes
                ? new ByteArrayContent(bytes)
                : new ByteArrayContent(Encoding.UTF8.GetBytes(body as string ?? JsonSerializer.Serialize(body, JsonSerializerOptions.Web)));
            if (mediaType is not null)
                request.Content.Headers.TryAddWithoutValidation("Content-Type", mediaType);
        }

        return request;
    }
}

/// <summary>What a hub answered, whole.</summary>
internal sealed record HttpAnswer(int Status, string? MediaType, string Text, HttpResponseHeaders Headers)
{
    public JsonElement Json => JsonElement.Parse(Text);

    /// <summary>In seconds.</summary>
    public int RetryAfter => (int)Headers.RetryAfter.ShouldNotBeNull("there is no Retry-After").Delta!.Value.TotalSeconds;

    public static async Task<HttpAnswer> ReadAsync(HttpResponseMessage response) => new(
        (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsStringAsync(), response.Headers);

    public JsonElement ShouldBe(int status)
    {
        Status.ShouldBe(status, Text);
        return Text.Length == 0 ? default : Json;
    }

    /// <summary>A refusal of the contract's form: problem+json with this code and, when given, exactly these pointers.</summary>
    public JsonElement ShouldBeProblem(int status, string code, params string[] pointers)
    {
        Status.ShouldBe(status, Text);
        MediaType.ShouldBe("application/problem+json", Text);
        Json.Number("status").ShouldBe(status);
        Json.Text("code").ShouldBe(code, Text);
        if (pointers.Length > 0)
            Json.At("errors").Names().ShouldBe(pointers, ignoreOrder: true, Text);
        return Json;
    }
}
