namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>Where the users of all servers together would be more connections than one process may have: only one server's are connected at a time.</summary>
internal sealed class Turn
{
    private Stage? _whose;

    /// <summary>The users of whoever had it are cut off, and this server's come back.</summary>
    public async Task TakeAsync(Stage stage, CancellationToken cancellationToken)
    {
        if (_whose == stage)
            return;
        await PassAsync();
        await stage.Crowd!.ReturnAsync(cancellationToken);
        _whose = stage;
    }

    /// <summary>For a server whose users are connected since it was set.</summary>
    public void Begin(Stage stage) => _whose = stage;

    public async Task PassAsync()
    {
        if (_whose is not null)
            await _whose.Crowd!.CutAsync();
        _whose = null;
    }
}
