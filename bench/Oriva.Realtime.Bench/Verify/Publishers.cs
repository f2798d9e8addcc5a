using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Threading.Channels;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>
/// Back ends that publish at a fixed rate, over all addresses. What is not answered is repeated with the same id, elsewhere, until it is; some of what
/// is answered is repeated as well, and some published twice at once, as back ends do that have lost an answer.
/// </summary>
internal sealed class Publishers(VerifyOptions options, Cast cast, Verdict verdict, HttpClient http, IReadOnlyList<string> tokens)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Acknowledged> _acknowledged = new(StringComparer.Ordinal);
    private int _published;
    private int _retries;

    public Histogram Latency { get; } = new();

    public int Published => _published;

    /// <summary>Requests beyond the first of each publish that had none or no good answer.</summary>
    public int Retries => _retries;

    public IReadOnlyDictionary<string, Acknowledged> Acknowledged => _acknowledged;

    /// <param name="run">Begins the ids.</param>
    /// <param name="giveUp">Ends the repeating when the patience after the load is over.</param>
    /// <param name="stop">Nothing new is published.</param>
    /// <returns>Completes when everything was answered or given up.</returns>
    public async Task RunAsync(string run, CancellationToken giveUp, CancellationToken stop)
    {
        // Holds at most the run's publishes: what an outage lets pile up is late, not lost.
        var due = Channel.CreateBounded<Publication>(Math.Max(1, (int)(options.Rate * options.Duration.TotalSeconds)));
        var workers = tokens.Select(token => WorkAsync(due.Reader, token, giveUp)).ToList();
        await Pacer.RunAsync(options.Rate, options.Duration, at =>
        {
            var publication = new Publication(run, _published, cast.AddresseeOf(_published), at);
            _published++;
            due.Writer.TryWrite(publication);
        }, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        due.Writer.Complete();
        await Task.WhenAll(workers);
    }

    private async Task WorkAsync(ChannelReader<Publication> due, string token, CancellationToken giveUp)
    {
        await foreach (var publication in due.ReadAllAsync(CancellationToken.None))
        {
            var repeat = publication.Number % 10;
            if (repeat == 1)
                await Task.WhenAll(PublishAsync(publication, publication.Number, token, giveUp), PublishAsync(publication, publication.Number + 1, token, giveUp));
            else
                await PublishAsync(publication, publication.Number, token, giveUp);
            if (repeat == 2)
                await PublishAsync(publication, publication.Number + 1, token, giveUp);
        }
    }

    /// <param name="attempt">Picks the address; each further attempt goes to the next one.</param>
    private async Task PublishAsync(Publication publication, int attempt, string token, CancellationToken giveUp)
    {
        var why = "";
        for (var pause = s_firstPause; !giveUp.IsCancellationRequested; pause = pause * 2 > s_longestPause ? s_longestPause : pause * 2)
        {
            try
            {
                using var answer = await PostAsync(publication, options.Urls[attempt++ % options.Urls.Count], token, giveUp);
                if (answer.IsSuccessStatusCode)
                {
                    Acknowledge(publication, await answer.Content.ReadFromJsonAsync<JsonElement>(giveUp));
                    return;
                }

                why = $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(giveUp)}";
                if (answer.StatusCode < HttpStatusCode.InternalServerError && answer.StatusCode != HttpStatusCode.TooManyRequests)
                    break;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or JsonException or KeyNotFoundException or InvalidOperationException)
            {
                why = e.Message;
            }

            Interlocked.Increment(ref _retries);
            await Clock.DelayAsync(pause, giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        verdict.Answered.Expect(holds: false, () => $"{publication.Id} to {publication.To}: {why}");
    }

    private async Task<HttpResponseMessage> PostAsync(Publication publication, Uri url, string token, CancellationToken giveUp)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(url, "api/v1/events")) { Content = JsonContent.Create(publication.ToDraft()) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(giveUp);
        patience.CancelAfter(s_patience);
        return await http.SendAsync(request, patience.Token);
    }

    private void Acknowledge(Publication publication, JsonElement receipt)
    {
        var acknowledged = new Acknowledged(publication, receipt.GetProperty("stream").GetString()!, receipt.GetProperty("seq").GetInt64(), Clock.Now);
        verdict.Answered.Expect(acknowledged.Stream == publication.To.Stream, () => $"{publication.Id} to {publication.To}: the receipt says {acknowledged.Stream}");
        if (_acknowledged.TryAdd(publication.Id, acknowledged))
        {
            Latency.Record(acknowledged.At - publication.DueTicks);
            return;
        }

        var first = _acknowledged[publication.Id];
        verdict.OnePosition.Expect(first.Stream == acknowledged.Stream && first.Position == acknowledged.Position, () =>
            $"{publication.Id}: {first.Position} of {first.Stream}, and then {acknowledged.Position} of {acknowledged.Stream}");
    }
}
