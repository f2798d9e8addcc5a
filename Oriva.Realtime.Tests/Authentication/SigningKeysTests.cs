using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class SigningKeysTests
{
    private static readonly Microsoft.IdentityModel.Tokens.SecurityKey s_key = Tokens.MakeRsaKey("any");

    private readonly FakeTimeProvider _time = new();
    private readonly Provider _provider = new();
    private readonly SigningKeys _keys;

    public SigningKeysTests() => _keys = new SigningKeys("https://id.example/keys", _provider, new NoDocuments(), _time, NullLogger.Instance);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Callers_ShareOneFetch()
    {
        _provider.Hold();
        var calls = Enumerable.Range(0, 10).Select(_ => _keys.GetConfigurationAsync(Cancelled)).ToList();
        _provider.Release();

        (await Task.WhenAll(calls)).Distinct().ShouldHaveSingleItem();
        _provider.Fetches.ShouldBe(1);
    }

    [Fact]
    public async Task CallerWhoGivesUp_LeavesTheFetchToTheOthers()
    {
        _provider.Hold();
        using var impatience = new CancellationTokenSource();
        var first = _keys.GetConfigurationAsync(impatience.Token);
        var second = _keys.GetConfigurationAsync(Cancelled);
        await impatience.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(first);
        _provider.Release();
        (await second).SigningKeys.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task FailedFetch_IsNotRepeatedAtOnce()
    {
        _provider.Failure = new HttpRequestException("no route");
        await Should.ThrowAsync<SigningKeysUnavailableException>(() => _keys.GetConfigurationAsync(Cancelled));
        await Should.ThrowAsync<SigningKeysUnavailableException>(() => _keys.GetConfigurationAsync(Cancelled));
        _provider.Fetches.ShouldBe(1);

        _provider.Failure = null;
        _time.Advance(TimeSpan.FromSeconds(1));
        await _keys.GetConfigurationAsync(Cancelled);
        _keys.Failure.ShouldBeNull();
    }

    [Fact]
    public async Task Refresh_IsGrantedOnceInThirtySeconds()
    {
        var first = await _keys.GetConfigurationAsync(Cancelled);

        _keys.RequestRefresh();
        (await _keys.GetConfigurationAsync(Cancelled)).ShouldBeSameAs(first);

        _time.Advance(TimeSpan.FromSeconds(30));
        _keys.RequestRefresh();
        var second = await _keys.GetConfigurationAsync(Cancelled);
        second.ShouldNotBeSameAs(first);
        _keys.RequestRefresh();
        (await _keys.GetConfigurationAsync(Cancelled)).ShouldBeSameAs(second);
        _provider.Fetches.ShouldBe(2);
    }

    [Fact]
    public async Task FailedRefresh_KeepsTheKeys_AndSaysThatNewerOnesAreMissing()
    {
        var first = await _keys.GetConfigurationAsync(Cancelled);
        _provider.Failure = new HttpRequestException("no route");
        _time.Advance(TimeSpan.FromSeconds(30));
        _keys.RequestRefresh();

        (await _keys.GetConfigurationAsync(Cancelled)).ShouldBeSameAs(first);
        _keys.Failure.ShouldNotBeNull();
    }

    [Fact]
    public async Task OldKeys_AreAnswered_WhileNewOnesAreFetched()
    {
        var first = await _keys.GetConfigurationAsync(Cancelled);
        _provider.Hold();
        _time.Advance(TimeSpan.FromHours(1));

        (await _keys.GetConfigurationAsync(Cancelled)).ShouldBeSameAs(first);
        _keys.RequestRefresh();
        var waiting = _keys.GetConfigurationAsync(Cancelled);
        _provider.Release();

        (await waiting).ShouldNotBeSameAs(first);
        _provider.Fetches.ShouldBe(2);
    }

    [Fact]
    public async Task DocumentWithoutKeys_IsAFailure()
    {
        _provider.HasKeys = false;

        await Should.ThrowAsync<SigningKeysUnavailableException>(() => _keys.GetConfigurationAsync(Cancelled));
    }

    private sealed class Provider : IConfigurationRetriever<OpenIdConnectConfiguration>
    {
        private TaskCompletionSource? _held;

        public int Fetches { get; private set; }

        public Exception? Failure { get; set; }

        public bool HasKeys { get; set; } = true;

        public void Hold() => _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _held!.SetResult();

        public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(string address, IDocumentRetriever retriever, CancellationToken cancel)
        {
            Fetches++;
            if (_held is not null)
                await _held.Task;
            if (Failure is not null)
                throw Failure;
            var configuration = new OpenIdConnectConfiguration();
            if (HasKeys)
                configuration.SigningKeys.Add(s_key);
            return configuration;
        }
    }

    private sealed class NoDocuments : IDocumentRetriever
    {
        public Task<string> GetDocumentAsync(string address, CancellationToken cancel) => throw new InvalidOperationException("The provider of the tests needs none.");
    }
}
