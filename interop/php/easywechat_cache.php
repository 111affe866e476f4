<?php
// Reads what EasyWeChat 6 reads when its cache is `new Psr16Cache(new RedisAdapter($redis, 'easywechat'))`, as its
// documentation shows it: prints the token under KEY, or `null` where it would fetch one.
require '/usr/share/php/Psr/SimpleCache/autoload.php';
require '/usr/share/php/Symfony/Component/Cache/autoload.php';

use Symfony\Component\Cache\Adapter\RedisAdapter;
use Symfony\Component\Cache\Psr16Cache;

$redis = RedisAdapter::createConnection(getenv('REDIS'));
$cache = new Psr16Cache(new RedisAdapter($redis, 'easywechat', 1500));
echo json_encode($cache->get(getenv('KEY'))), "\n";
