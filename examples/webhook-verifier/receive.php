<?php
// Receives the deliveries of a webhook sink. PHP 8.1, nothing else; the server of `php -S` is for trying it out.
//
// $ WEBHOOK_KEY=… php -S 127.0.0.1:8090 receive.php
declare(strict_types=1);

const WINDOW = 300; // seconds that a delivery may be old, or ahead of this clock
const LARGEST = 64 * 1024;

// Why the delivery is refused, or null.
function verify(string $key, string $timestamp, string $signature, string $body): ?string
{
    if (!preg_match('/\A[0-9]{1,12}\z/', $timestamp)) {
        return 'no timestamp';
    }
    $expected = 'v1=' . hash_hmac('sha256', "$timestamp.$body", $key);
    if (!hash_equals($expected, $signature)) {
        return 'bad signature';
    }
    return abs(time() - (int) $timestamp) > WINDOW ? 'too old' : null;
}

// Deliveries come at least once, and one may overtake another: only the last word counts. PHP forgets everything after
// a request, so that it stands in a file; a database does as well.
function take(array $event): void
{
    $file = fopen(getenv('WEBHOOK_STATE') ?: sys_get_temp_dir() . '/webhook-newest.json', 'c+');
    flock($file, LOCK_EX);
    $newest = json_decode((string) stream_get_contents($file), true) ?: [];
    if ($event['sequence'] > ($newest[$event['credential']] ?? -1)) {
        $newest[$event['credential']] = $event['sequence'];
        ftruncate($file, 0);
        rewind($file);
        fwrite($file, json_encode($newest));
        $what = "{$event['credential']} generation {$event['generation']} until {$event['expires_at']}";
        file_put_contents('php://stdout', "$what\n");
    }
    fclose($file);
}

$key = getenv('WEBHOOK_KEY') ?: throw new RuntimeException('WEBHOOK_KEY is not set');
$body = (string) file_get_contents('php://input', length: LARGEST + 1);
$wrong = strlen($body) > LARGEST ? 'too large' : verify(
    $key,
    $_SERVER['HTTP_TOKENWARD_TIMESTAMP'] ?? '',
    $_SERVER['HTTP_TOKENWARD_SIGNATURE'] ?? '',
    $body,
);
if ($wrong !== null) {
    http_response_code(401);
    echo $wrong;
    return;
}
take(json_decode($body, true, flags: JSON_THROW_ON_ERROR));
echo 'thanks';
